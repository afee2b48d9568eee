/* The reader of weights files on any bytes at all, for the hand-made model of the unit tests. Every
 * input is read as it is and once more under a right checksum, which mutation rarely finds. */
#include "fuzz.h"

#include "runtime/session.h"
#include "rt_fake_model.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* Read once: it is not what is tried here. */
static const RtModel *fake_model(void) {
    static RtMem *mem;
    static const RtModel *model;
    RtError error;
    if (!mem) mem = rt_mem_new();
    if (!model) model = rt_model_new(mem, adavic_manifest, &error);
    return model;
}

static void read_once(const uint8_t *data, size_t n, bool mend) {
    RtMem *mem = rt_mem_new();
    RtError error = {{0}};
    const RtModel *model = fake_model();
    RtBytes bytes = {0};
    rt_bytes_add(&bytes, data, n);
    if (mend && n >= 4) {
        uint32_t crc = (uint32_t)crc32_z(0, data, n - 4);
        for (int i = 0; i < 4; i++) bytes.data[n - 4 + (size_t)i] = (char)(crc >> 8 * i);
    }
    RtState *state = rt_weights_parse(mem, model, "w", &bytes, &error);
    if (!state && !error.text[0]) abort(); /* refused without a word */
    rt_bytes_free(&bytes);
    rt_mem_free(mem);
}

static void run(const uint8_t *data, size_t n) {
    read_once(data, n, false);
    read_once(data, n, true);
}

static void seeds(FuzzList *list) {
    RtMem *mem = rt_mem_new();
    RtError error;
    const RtModel *model = fake_model();
    RtState *state = rt_state_new(mem, model);
    rt_state_init_weights(model, state, 1);
    char path[] = "/tmp/adavic-fuzz-XXXXXX";
    int file = mkstemp(path);
    RtBytes bytes = {0};
    if (file >= 0 && rt_weights_save(model, state, path, &error) &&
        rt_read_file(path, &bytes, &error))
        for (size_t cut = 0; cut < 3; cut++) fuzz_add(list, bytes.data, bytes.n - cut * 40);
    if (file >= 0) close(file), unlink(path);
    rt_bytes_free(&bytes);
    rt_mem_free(mem);
}

static void words(FuzzList *list) {
    static const char *const some[] = {"source-hash ", "plate ",    "hyper ",
                                       "tensor ",      "stat ",     "average ",
                                       "iterate ",     "moment1 ",  "moment2 ",
                                       "dims ",        "objective", "seed ",
                                       "steps ",       "\nend\n",   "group",
                                       "obs",          "s_a",       "group.W",
                                       "loc",          "x:median",  "adavic-weights 1\n"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) fuzz_add_word(list, some[i]);
}

static const FuzzTarget target = {"weights", run, seeds, words};
FUZZ_MAIN(target)
