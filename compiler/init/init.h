/* init.h -- `adavic init`: from a data file and a formula to a model to start from.
 *
 *   formula.c   the formula: text to terms
 *   frame.c     the file: columns, groups, plates
 *   design.c    terms to effects; families.def, what an outcome may be
 *   write.c     the model's text
 *   init.c      the command: options, help, manual page; the text is checked before it is written
 *
 * Files are read by the reader of compiled programs (runtime/table.h), memory is theirs, too. */
#ifndef ADAVIC_INIT_H
#define ADAVIC_INIT_H

/* argv[0] is the word `init`. Returns the exit status: 0, 1 (formula or data), 2 (usage). */
int init_main(int argc, char **argv);
/* The manual page adavic-init(1). */
void init_page(const char *version, const char *date);

#endif
