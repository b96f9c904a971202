/* A TCG plugin for qemu-user that counts executed instructions.
 *
 *     qemu-aarch64 -plugin libcount.so,out=FILE program ...
 *
 * writes their number to FILE when the program ends. Every translated block adds its length when it is entered; a block
 * that is left early (a signal, a fault) counts whole.
 *
 * Debian's packages lack qemu-plugin.h, so what is used of it is declared here. It has been the same since QEMU 4.2; only
 * the version that a plugin must claim was raised, which the build sets (PLUGIN_VERSION).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *),
                                          enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

EXPORT int qemu_plugin_version = PLUGIN_VERSION;

static uint64_t count;
static char out[4096];

static void entered(unsigned cpu, void *length) {
    (void)cpu;
    __atomic_fetch_add(&count, (uintptr_t)length, __ATOMIC_RELAXED);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, entered, QEMU_PLUGIN_CB_NO_REGS,
                                         (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void ended(qemu_plugin_id_t id, void *unused) {
    (void)id, (void)unused;
    FILE *file = fopen(out, "w");
    if (file == NULL) {
        fprintf(stderr, "count: %s cannot be written\n", out);
        return;
    }
    fprintf(file, "%" PRIu64 "\n", count);
    fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv) {
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0 || strlen(argv[0]) >= sizeof out) {
        fprintf(stderr, "count: expected out=FILE\n");
        return 1;
    }
    strcpy(out, argv[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
