# SPDX-FileCopyrightText: 2026 The Postern authors
# SPDX-License-Identifier: BSD-2-Clause

# POSTERN_LIBRARY(PREFIX, MODULE, DEBIAN-PACKAGE): a library found by pkg-config, or a message that says what to install.
AC_DEFUN([POSTERN_LIBRARY],
	[PKG_CHECK_MODULES([$1], [$2], [],
		[AC_MSG_ERROR([$2 was not found (Debian: $3)])])])

# POSTERN_PROGRAM(VARIABLE, PROGRAM, WHAT): where a program is, which need not be there yet.
AC_DEFUN([POSTERN_PROGRAM],
	[AC_ARG_VAR([$1], [path of $3])
	AC_PATH_PROG([$1], [$2], [/usr/sbin/$2], [/usr/sbin:/usr/local/sbin:/usr/lib])])

# POSTERN_CFLAG(VARIABLE, FLAG): adds FLAG to VARIABLE if the compiler takes it.
AC_DEFUN([POSTERN_CFLAG],
	[AS_VAR_PUSHDEF([cache], [postern_cv_flag_$2])
	AC_CACHE_CHECK([whether $CC takes $2], [cache],
		[postern_save_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $2"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([[]], [[]])],
			[AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
		CFLAGS=$postern_save_CFLAGS])
	AS_VAR_IF([cache], [yes], [$1="$$1 $2"])
	AS_VAR_POPDEF([cache])])

# Warnings that gcc and clang both give and that this code stands behind.
AC_DEFUN([POSTERN_WARNINGS],
	[m4_foreach_w([flag], [-Wall -Wextra -Wshadow -Wconversion -Wsign-conversion
		-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
		-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla
		-Wformat=2 -Wformat-security -Werror=format-security
		-Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough
		-Werror=implicit-function-declaration -Werror=incompatible-pointer-types],
		[POSTERN_CFLAG([POSTERN_CFLAGS], flag)])])

AC_DEFUN([POSTERN_HARDENING],
	[m4_foreach_w([flag], [-fstack-protector-strong -fstack-clash-protection
		-fcf-protection=full -ftrivial-auto-var-init=zero
		-fno-delete-null-pointer-checks -fno-strict-aliasing -fPIE],
		[POSTERN_CFLAG([POSTERN_CFLAGS], flag)])
	m4_foreach_w([flag], [-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack],
		[POSTERN_CFLAG([POSTERN_LDFLAGS], flag)])
	AS_VAR_IF([enable_sanitizers], [yes], [],
		[AS_CASE(["$CPPFLAGS $CFLAGS"],
			[*_FORTIFY_SOURCE*], [],
			[*-O0*], [],
			[POSTERN_CPPFLAGS="$POSTERN_CPPFLAGS -D_FORTIFY_SOURCE=2"])])])

AC_DEFUN([POSTERN_SANITIZERS],
	[POSTERN_CFLAG([POSTERN_CFLAGS], [-fsanitize=address])
	POSTERN_CFLAG([POSTERN_CFLAGS], [-fsanitize=undefined])
	POSTERN_CFLAG([POSTERN_CFLAGS], [-fno-sanitize-recover=undefined])
	POSTERN_CFLAG([POSTERN_CFLAGS], [-fno-omit-frame-pointer])
	POSTERN_LDFLAGS="$POSTERN_LDFLAGS -fsanitize=address -fsanitize=undefined"])

AC_DEFUN([POSTERN_FUZZING],
	[POSTERN_CFLAG([POSTERN_CFLAGS], [-fsanitize=fuzzer-no-link])])
