# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

# What postern learn makes of the audit, apart from the command for the tests' sake.
noinst_LIBRARIES += liblearn.a
liblearn_a_SOURCES = \
	admin/learn.h \
	admin/learn_collect.c \
	admin/learn_draft.c \
	admin/learn_group.c \
	admin/learn_inventory.c \
	admin/learn_json.c \
	admin/learn_judge.c \
	admin/learn_name.c \
	admin/learn_networks.c \
	admin/learn_peaks.c admin/learn_peaks.h \
	admin/learn_prefix.c admin/learn_prefix.h \
	admin/learn_present.c admin/learn_present.h \
	admin/learn_senders.c \
	admin/learn_shape.c admin/learn_shape.h \
	admin/learn_table.c admin/learn_table.h \
	admin/learn_yaml.c admin/learn_yaml.h \
	admin/when.c admin/when.h

# Pages over HTTP.
noinst_LIBRARIES += libhttp.a
libhttp_a_CFLAGS = $(AM_CFLAGS) $(MICROHTTPD_CFLAGS) $(CRYPT_CFLAGS)
libhttp_a_SOURCES = admin/http.c admin/http.h admin/http_listen.c admin/http-private.h admin/password.c admin/password.h

bin_PROGRAMS += postern
postern_SOURCES = \
	admin/check.c \
	admin/command.h \
	admin/dashboard.c admin/dashboard.h admin/dashboard_apps.c admin/dashboard_frame.c admin/dashboard_home.c \
	admin/dashboard_lists.c admin/dashboard_one.c admin/dashboard_replies.c admin/dashboard_trace.c \
	admin/database.c admin/database.h \
	admin/difference.c admin/difference.h \
	admin/drift.c admin/drift.h \
	admin/explain.c admin/explain.h admin/explain_past.c \
	admin/export.c admin/export_row.c admin/export_row.h \
	admin/html.c admin/html.h admin/html_traffic.c \
	admin/follow.c admin/follow.h admin/follow_file.c admin/follow_hop.c admin/follow_journal.c \
	admin/follow_reports.c admin/follow_upstream.c \
	admin/learn.c \
	admin/limits.c admin/limits.h admin/limits_act.c admin/limits_collect.c admin/limits_find.c \
	admin/limits_print.c \
	admin/m365.c admin/m365.h \
	admin/mail.c admin/mail.h \
	admin/main.c \
	admin/metrics.c \
	admin/migrate.c \
	admin/needs.c admin/needs.h \
	admin/notify.c admin/notify.h admin/notify_run.c admin/notify_state.c admin/notify_text.c \
	admin/output.c admin/output.h \
	admin/pause.c \
	admin/person.c admin/person.h \
	admin/release.c admin/release.h admin/release_follow.c admin/release_list.c \
	admin/replies.c admin/replies.h \
	admin/reported.c admin/reported.h \
	admin/report.c admin/report_html.c admin/report_replies.c admin/report_retries.c admin/report_text.c \
	admin/retries.c admin/retries.h admin/retries-private.h admin/retries_read.c \
	admin/retries_settle.c admin/retries_table.c \
	admin/saved.c \
	admin/saved.h \
	admin/simulate.c \
	admin/schema.c \
	admin/story.c admin/story.h \
	admin/summary.c admin/summary.h admin/summary_html.c admin/summary_mail.c admin/summary_read.c \
	admin/summary_state.c admin/summary_text.c \
	admin/terminal.c admin/terminal.h \
	admin/top.c \
	admin/trace.c admin/trace.h admin/trace_print.c admin/trace_read.c \
	admin/traffic.c admin/traffic.h
postern_LDADD = liblearn.a libhttp.a libgate.a libmaillog.a libsql.a libfile.a libpolicy.a libbase.a \
	$(OPENDKIM_LIBS) $(CRYPTO_LIBS) $(SQLITE_LIBS) $(LIBPQ_LIBS) $(YAML_LIBS) \
	$(JANSSON_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(PCRE2_LIBS) $(MICROHTTPD_LIBS) $(CRYPT_LIBS)
