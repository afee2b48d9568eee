/* posterior.c -- a posterior from `infer --json` beside the exact one of tests/golden/.
 *
 *     posterior EXACT.json INFER.json       a Markdown table of every latent, then one line:
 *     worst mean MEAN (NAME) worst sd RATIO (NAME)
 *
 * MEAN: the largest distance of means, in exact standard deviations; RATIO: the ratio of standard
 * deviations that is farthest from 1.
 */
#include "json.h"

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: posterior EXACT.json INFER.json\n");
        return 2;
    }
    char *exact = json_read(argv[1], NULL), *inferred = json_read(argv[2], NULL);
    const char *at = json_find(exact, NULL, "posterior"),
               *latents = json_find(inferred, NULL, "latents");
    if (!at || !latents) {
        fprintf(stderr, "posterior: not the files expected\n");
        return 1;
    }
    double worst_z = 0, worst_ratio = 1;
    char name[64], of_z[64] = "", of_ratio[64] = "";
    printf("| latent | exact mean | mean | off by, in sd | exact sd | sd | ratio |\n");
    printf("| --- | --- | --- | --- | --- | --- | --- |\n");
    for (at++; sscanf(at, " \"%63[^\"]\" : {", name) == 1; at += *at == ',') {
        const char *own = json_find(latents, NULL, name), *end = strchr(at, '}');
        if (!own || !end) {
            fprintf(stderr, "posterior: `%s` was not inferred\n", name);
            return 1;
        }
        const char *own_end = strchr(own, '}');
        /* a latent may itself be called mean: look behind its own name */
        double m0 = json_number(strchr(at, '{'), end, "mean");
        double s0 = json_number(strchr(at, '{'), end, "sd");
        double m = json_number(own, own_end, "mean"), s = json_number(own, own_end, "sd");
        double z = (m - m0) / s0, ratio = s / s0;
        printf("| %s | %.3f | %.3f | %+.3f | %.3f | %.3f | %.3f |\n", name, m0, m, z, s0, s, ratio);
        if (!(fabs(z) <= fabs(worst_z))) worst_z = z, strcpy(of_z, name);
        if (!(fabs(log(ratio)) <= fabs(log(worst_ratio))))
            worst_ratio = ratio, strcpy(of_ratio, name);
        at = end + 1;
        at += strspn(at, " \n\t");
    }
    printf("worst mean %+.3f (%s) worst sd %.3f (%s)\n", worst_z, of_z, worst_ratio, of_ratio);
    return 0;
}
