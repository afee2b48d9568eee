/* target.h -- instruction sets by the levels of the x86-64 psABI, shared by the compiler (what
 * `host` means) and the runtime (whether this machine can run the program). */
#ifndef ADAVIC_TARGET_H
#define ADAVIC_TARGET_H

/* Of this machine: 1 (x86-64) to 4 (x86-64-v4); 0 elsewhere. */
int av_machine_level(void);
/* Of a target by name: x86-64 is 1, x86-64-v3 is 3; 0 if it names no level. */
int av_target_level(const char *target);

#endif
