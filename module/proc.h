/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/net/tls_drst_stat and /proc/net/tls_drst */
#ifndef _TLS_DRST_PROC_H
#define _TLS_DRST_PROC_H

#ifdef CONFIG_PROC_FS
int drst_proc_init(void);
void drst_proc_exit(void);
#else
static inline int drst_proc_init(void)
{
	return 0;
}

static inline void drst_proc_exit(void)
{
}
#endif

#endif /* _TLS_DRST_PROC_H */
