/* family.c -- the table of families, and what is said of the one that is chosen. */
#include "dual/dual.h"

const FamilyInfo family_info[] = {
#define FAMILY(ENUM, name, title, FACTORS, help) {name, title, FACTORS_##FACTORS, help},
#include "dual/families.def"
#undef FAMILY
};
const int family_count = sizeof family_info / sizeof *family_info;

bool family_named(const char *name, Family *family) {
    for (int i = 0; i < family_count; i++) {
        if (strcmp(family_info[i].name, name)) continue;
        *family = (Family)i;
        return true;
    }
    return false;
}

const FamilyInfo *family_of(const DualOptions *options) {
    return &family_info[options->family];
}
