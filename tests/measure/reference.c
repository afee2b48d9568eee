/* reference.c -- a posterior from `infer --json` beside one by NUTS, of tests/measure/reference/.
 *
 *     reference REFERENCE.txt INFER.json       a Markdown table of every scalar, then one line:
 *     MEAN NAME QUANTILE NAME RATIO NAME KHAT
 *
 * MEAN: the largest distance of means, QUANTILE: that of 5 % and of 95 % quantiles, both in
 * standard deviations of the reference; RATIO: the ratio of standard deviations that is farthest
 * from 1.
 */
#include "json.h"

typedef struct Worst {
    double value, size; /* size: of what is compared */
    char name[64];
} Worst;

static void note(Worst *worst, double value, double size, const char *name) {
    if (size <= worst->size) return; /* what is not a number is noted, and stays */
    *worst = (Worst){.value = value, .size = isnan(size) ? INFINITY : size};
    snprintf(worst->name, sizeof worst->name, "%s", name);
}

/* The object of scalar `name`: of the latents, else of the quantities. */
static const char *scalar(const char *inferred, const char *name) {
    static const char *const keys[] = {"latents", "quantities"};
    for (int i = 0; i < 2; i++) {
        const char *group = json_find(inferred, NULL, keys[i]);
        const char *own = group ? json_find(group, NULL, name) : NULL;
        if (own) return own;
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: reference REFERENCE.txt INFER.json\n");
        return 2;
    }
    char *reference = json_read(argv[1], NULL), *inferred = json_read(argv[2], NULL);
    const char *sets = json_find(inferred, NULL, "sets");
    double khat = sets ? json_number(sets, NULL, "khat") : NAN;
    Worst mean = {0}, quantile = {0}, ratio = {.value = 1};
    int n = 0;
    printf("| scalar | NUTS: mean | sd | 5 %% | 95 %% | mean | sd | 5 %% | 95 %% |\n");
    printf("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (char *line = strtok(reference, "\n"); line; line = strtok(NULL, "\n")) {
        char name[64];
        double m0, s0, low0, mid0, high0;
        if (*line == '#') continue;
        if (sscanf(line, "%63s %lf %lf %lf %lf %lf", name, &m0, &s0, &low0, &mid0, &high0) != 6 ||
            !(s0 > 0)) {
            fprintf(stderr, "reference: %s: not a scalar's line: %s\n", argv[1], line);
            return 1;
        }
        const char *own = scalar(inferred, name), *end = own ? strchr(own, '}') : NULL;
        if (!end) {
            fprintf(stderr, "reference: `%s` was not inferred\n", name);
            return 1;
        }
        double m = json_number(own, end, "mean"), s = json_number(own, end, "sd");
        double low = json_number(own, end, "q5"), high = json_number(own, end, "q95");
        printf("| %s | %.4g | %.3g | %.4g | %.4g | %.4g | %.3g | %.4g | %.4g |\n", name, m0, s0,
               low0, high0, m, s, low, high);
        note(&mean, (m - m0) / s0, fabs(m - m0) / s0, name);
        note(&quantile, (low - low0) / s0, fabs(low - low0) / s0, name);
        note(&quantile, (high - high0) / s0, fabs(high - high0) / s0, name);
        note(&ratio, s / s0, fabs(log(s / s0)), name);
        n++;
    }
    if (!n) {
        fprintf(stderr, "reference: %s: no scalar\n", argv[1]);
        return 1;
    }
    printf("%.3f %s %.3f %s %.3f %s %.2f\n", mean.value, mean.name, quantile.value, quantile.name,
           ratio.value, ratio.name, khat);
    return 0;
}
