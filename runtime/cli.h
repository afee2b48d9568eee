/* cli.h -- the entry point of a compiled program, callable by tests. Returns the exit status. */
#ifndef ADAVIC_CLI_H
#define ADAVIC_CLI_H

int rt_main(int argc, char **argv);

#endif
