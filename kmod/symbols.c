// SPDX-License-Identifier: GPL-2.0-only
/* Finds the unexported kernel functions of symbols.h, all of them at load or none. */
#include <linux/kprobes.h>
#include <linux/printk.h>

#include "symbols.h"

#ifdef MODULE
typedef unsigned long kallsyms_fn(const char *name);
DEFINE_STATIC_CALL_RET0(xckpt_kallsyms, kallsyms_fn);

#define X(name) DEFINE_STATIC_CALL_RET0(xckpt_##name, name);
XCKPT_SYMBOLS(X)
#undef X

/* kallsyms_lookup_name() is not exported either, but a kprobe finds it by name. */
static int find_kallsyms(void)
{
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
	int ret;

	ret = register_kprobe(&kp);
	if (ret) {
		pr_err("cannot find kallsyms_lookup_name: %d (needs CONFIG_KPROBES, CONFIG_KALLSYMS)\n",
		       ret);
		return ret;
	}
	static_call_update(xckpt_kallsyms, (kallsyms_fn *)kp.addr);
	unregister_kprobe(&kp);
	return 0;
}

int symbols_init(void)
{
	unsigned long addr;
	int ret;

	ret = find_kallsyms();
	if (ret)
		return ret;
#define X(name)                                                                                    \
	addr = static_call(xckpt_kallsyms)(#name);                                                 \
	if (!addr) {                                                                               \
		pr_err("this kernel has no function " #name "\n");                                 \
		return -ENOENT;                                                                    \
	}                                                                                          \
	static_call_update(xckpt_##name, (typeof(name) *)addr);
	XCKPT_SYMBOLS(X)
#undef X
	return 0;
}
#else
int symbols_init(void)
{
	return 0;
}
#endif
