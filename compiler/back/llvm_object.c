/* llvm_object.c -- target machine, passes, object files or assembly.
 *
 * A unit may be written as several objects, each from a module of its own in a thread of its own:
 * code generation is nearly all of the compile time.
 *
 * Passes are few, for the schedule has done their work, and measured: a default -O2 pipeline hoists
 * weight broadcasts out of loops and spills them (an 8 x 8 product gets 85 spills, none with
 * these).
 */
#include "back/llvm.h"

#include <pthread.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

static const char passes[] = "function(sroa,early-cse)";

/* Loop strength reduction and the machine scheduler are half of the compile time and win nothing:
 * addresses are placed by llvm_nest.c, and processors reorder. LLVM has no option of a target
 * machine for them, only options of the process, which may be set once. */
static void set_options(void) {
    static bool done;
    static const char *const options[] = {"adavic", "-disable-lsr", "-enable-misched=false"};
    if (!done) LLVMParseCommandLineOptions(3, options, "");
    done = true;
}

/* ---- one part of a unit: a module of its own ---- */

typedef struct Part {
    Llvm m;
    LLVMTargetMachineRef machine;
    const char *path;
    const char *what; /* could not be done, for the reason that `message`, LLVM's, says */
    char *message;
} Part;

static bool failed(Part *part, const char *what, char *message) {
    part->what = what;
    part->message = message;
    return false;
}

static bool target_machine(Part *part, const char *level) {
    char *triple = LLVMGetDefaultTargetTriple(), *message = NULL;
    LLVMTargetRef target;
    bool good = !LLVMGetTargetFromTriple(triple, &target, &message);
    if (!good)
        failed(part, "find the target", message);
    else {
        part->machine = LLVMCreateTargetMachine(target, triple, level, "", LLVMCodeGenLevelLess,
                                                LLVMRelocPIC, LLVMCodeModelDefault);
        if (!part->machine) good = failed(part, "make a target machine", NULL);
    }
    LLVMDisposeMessage(triple);
    return good;
}

/* The module, written and verified. */
static bool make_module(Part *part, Arena *arena, const Unit *unit, const Target *target, int here,
                        int n_parts) {
    const char *level = target_named(target->cpu);
    Llvm *m = &part->m;
    if (!target_machine(part, level)) return false;
    *m = (Llvm){.arena = arena, .context = LLVMContextCreate(), .here = here, .n_parts = n_parts};
    m->avx512 = !strcmp(level, "x86-64-v4");
    if (!strcmp(target->cpu, "host")) m->tune = LLVMGetHostCPUName();
    m->module = LLVMModuleCreateWithNameInContext("adavic", m->context);
    m->builder = LLVMCreateBuilderInContext(m->context);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(part->machine);
    LLVMSetModuleDataLayout(m->module, layout);
    LLVMDisposeTargetData(layout);
    char *triple = LLVMGetTargetMachineTriple(part->machine), *message = NULL;
    LLVMSetTarget(m->module, triple);
    LLVMDisposeMessage(triple);
    llvm_unit(m, unit);
    if (LLVMVerifyModule(m->module, LLVMReturnStatusAction, &message))
        return failed(part, "accept what adavic wrote", message);
    LLVMDisposeMessage(message);
    return true;
}

/* Passes, then the object file where one is wanted. Allocates nothing of adavic's: it may run in a
 * thread of its own. */
static void *generate(void *context) {
    Part *part = context;
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(part->m.module, passes, part->machine, options);
    LLVMDisposePassBuilderOptions(options);
    char *message = NULL;
    if (error) {
        char *text = LLVMGetErrorMessage(error);
        failed(part, "run its passes", LLVMCreateMessage(text));
        LLVMDisposeErrorMessage(text);
    } else if (part->path && LLVMTargetMachineEmitToFile(part->machine, part->m.module, part->path,
                                                         LLVMObjectFile, &message))
        failed(part, "write the object file", message);
    return NULL;
}

/* Ends a part; what went wrong with it, or NULL. */
static const char *dispose(Part *part, Arena *arena) {
    const char *why = NULL;
    if (part->what)
        why = arena_printf(arena, "LLVM cannot %s: %s", part->what,
                           part->message ? part->message : "no reason given");
    if (part->message) LLVMDisposeMessage(part->message);
    if (part->m.builder) LLVMDisposeBuilder(part->m.builder);
    if (part->m.module) LLVMDisposeModule(part->m.module);
    if (part->m.context) LLVMContextDispose(part->m.context);
    if (part->m.tune) LLVMDisposeMessage(part->m.tune);
    if (part->machine) LLVMDisposeTargetMachine(part->machine);
    return why;
}

/* ---- the unit ---- */

/* ThreadSanitizer sees nothing of LLVM's own locks, and would complain of what they protect. */
#ifdef __SANITIZE_THREAD__
enum { IN_THREADS = 0 };
#else
enum { IN_THREADS = 1 };
#endif

static void generate_all(Part *parts, int n) {
    pthread_t thread[BACK_MAX_OBJECTS] = {0};
    bool started[BACK_MAX_OBJECTS] = {false};
    for (int k = 1; k < n; k++)
        started[k] = IN_THREADS && !pthread_create(&thread[k], NULL, generate, &parts[k]);
    generate(&parts[0]);
    for (int k = 1; k < n; k++)
        if (started[k])
            pthread_join(thread[k], NULL);
        else
            generate(&parts[k]);
}

const char *back_llvm(Arena *arena, const Unit *unit, const Target *target,
                      const char *const *object_paths, int n, Text *text) {
    if (!target_named(target->cpu))
        return arena_printf(arena, "there is no target `%s`", target->cpu);
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    set_options();
    Part parts[BACK_MAX_OBJECTS] = {0};
    int n_parts = n ? n : 1;
    bool good = true;
    for (int k = 0; k < n_parts && good; k++) {
        parts[k].path = n ? object_paths[k] : NULL;
        good = make_module(&parts[k], arena, unit, target, k, n_parts);
    }
    if (good) generate_all(parts, n_parts);
    if (good && !n && !parts[0].what) {
        char *assembly = LLVMPrintModuleToString(parts[0].m.module);
        text_add(text, assembly);
        LLVMDisposeMessage(assembly);
    }
    const char *why = NULL;
    for (int k = 0; k < n_parts; k++) {
        const char *of_part = dispose(&parts[k], arena);
        if (!why) why = of_part;
    }
    return why;
}
