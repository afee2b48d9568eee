/* flows.c -- the table of flows. */
#include "model/settings.h"

#include <string.h>

const FlowInfo flow_info[] = {
    {NULL, 0, NULL},
#define FLOW(ENUM, name, takes, help) {name, takes, help},
#include "model/flows.def"
#undef FLOW
};
const int flow_count = sizeof flow_info / sizeof *flow_info;

FlowKind flow_named(const char *name) {
    for (int i = 1; i < flow_count; i++)
        if (!strcmp(flow_info[i].name, name)) return (FlowKind)i;
    return FLOW_DERIVED;
}
