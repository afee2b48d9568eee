/* llvm_object.c -- target machine, passes, object file or assembly.
 *
 * Passes are few, for the schedule has done their work, and measured: a default -O2 pipeline hoists
 * weight broadcasts out of loops and spills them (an 8 x 8 product gets 85 spills, none with
 * these).
 */
#include "back/llvm.h"

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

/* Takes over a message of LLVM's. */
static const char *keep(Arena *arena, const char *what, char *message) {
    const char *text =
        arena_printf(arena, "LLVM cannot %s: %s", what, message ? message : "no reason given");
    LLVMDisposeMessage(message);
    return text;
}

static const char *target_machine(Arena *arena, const Target *target, LLVMTargetMachineRef *out) {
    const char *level = target_named(target->cpu);
    if (!level) return arena_printf(arena, "there is no target `%s`", target->cpu);
    char *triple = LLVMGetDefaultTargetTriple(), *message = NULL;
    LLVMTargetRef machine;
    const char *why = NULL;
    if (LLVMGetTargetFromTriple(triple, &machine, &message))
        why = keep(arena, "find the target", message);
    else {
        *out = LLVMCreateTargetMachine(machine, triple, level, "", LLVMCodeGenLevelLess,
                                       LLVMRelocPIC, LLVMCodeModelDefault);
        if (!*out) why = "LLVM cannot make a target machine";
    }
    LLVMDisposeMessage(triple);
    return why;
}

static const char *run_passes(Llvm *m, LLVMTargetMachineRef machine) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(m->module, passes, machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error) return NULL;
    char *message = LLVMGetErrorMessage(error);
    const char *why = arena_printf(m->arena, "LLVM cannot run its passes: %s", message);
    LLVMDisposeErrorMessage(message);
    return why;
}

static const char *write_out(Llvm *m, LLVMTargetMachineRef machine, const char *path, Text *text) {
    char *message = NULL;
    if (text) {
        char *assembly = LLVMPrintModuleToString(m->module);
        text_add(text, assembly);
        LLVMDisposeMessage(assembly);
        return NULL;
    }
    if (LLVMTargetMachineEmitToFile(machine, m->module, path, LLVMObjectFile, &message))
        return keep(m->arena, "write the object file", message);
    return NULL;
}

const char *back_llvm(Arena *arena, const Unit *unit, const Target *target, const char *object_path,
                      Text *text) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    set_options();
    LLVMTargetMachineRef machine = NULL;
    const char *why = target_machine(arena, target, &machine);
    if (why) return why;
    Llvm *m = &(Llvm){.arena = arena, .context = LLVMContextCreate()};
    m->avx512 = !strcmp(target_named(target->cpu), "x86-64-v4");
    if (!strcmp(target->cpu, "host")) m->tune = LLVMGetHostCPUName();
    m->module = LLVMModuleCreateWithNameInContext("adavic", m->context);
    m->builder = LLVMCreateBuilderInContext(m->context);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(m->module, layout);
    LLVMDisposeTargetData(layout);
    char *triple = LLVMGetTargetMachineTriple(machine), *message = NULL;
    LLVMSetTarget(m->module, triple);
    LLVMDisposeMessage(triple);
    llvm_unit(m, unit);
    if (LLVMVerifyModule(m->module, LLVMReturnStatusAction, &message))
        why = keep(arena, "accept what adavic wrote", message);
    else
        LLVMDisposeMessage(message);
    if (!why) why = run_passes(m, machine);
    if (!why) why = write_out(m, machine, object_path, text);
    LLVMDisposeBuilder(m->builder);
    LLVMDisposeModule(m->module);
    LLVMContextDispose(m->context);
    LLVMDisposeTargetMachine(machine);
    if (m->tune) LLVMDisposeMessage(m->tune);
    return why;
}
