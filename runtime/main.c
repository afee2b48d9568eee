/* main.c -- main() of compiled programs; in a file of its own so that programs which bring one can
 * link the runtime. */
#include "runtime/cli.h"

int main(int argc, char **argv) {
    return rt_main(argc, argv);
}
