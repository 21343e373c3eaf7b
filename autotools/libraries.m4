dnl How configure looks for libraries: every missing one is noted, and SP_LIBRARIES_DONE reports all of them in one message.

AC_DEFUN([SP_LIBRARY_INIT], [
  m4_ifdef([PKG_PROG_PKG_CONFIG], [PKG_PROG_PKG_CONFIG],
    [m4_fatal([pkg-config's macros are missing: install pkg-config (Debian, brew), pkgconf-pkg-config (Fedora) or pkgconf (Arch)])])
  AS_IF([test -z "$PKG_CONFIG"],
    [AC_MSG_ERROR([pkg-config is missing: install pkg-config (Debian, brew), pkgconf-pkg-config (Fedora) or pkgconf (Arch)])])
  sp_missing= sp_debian= sp_fedora= sp_arch= sp_brew=
])

dnl SP_LIBRARY(VARIABLE, PKG-CONFIG-NAME, PURPOSE, DEBIAN, FEDORA, ARCH, HOMEBREW)
dnl Sets and substitutes VARIABLE_CFLAGS and VARIABLE_LIBS; sets VARIABLE_VERSION.
AC_DEFUN([SP_LIBRARY], [
  AC_REQUIRE([SP_LIBRARY_INIT])
  PKG_CHECK_MODULES([$1], [$2], [$1_VERSION=`$PKG_CONFIG --modversion "$2" 2>/dev/null`], [
    sp_missing="$sp_missing
    $2 ($3): Debian's $4"
    sp_debian="$sp_debian $4" sp_fedora="$sp_fedora $5" sp_arch="$sp_arch $6" sp_brew="$sp_brew $7"])
])

dnl SP_TEST_LIBRARY(VARIABLE, PKG-CONFIG-NAME, DEBIAN, FEDORA, ARCH, HOMEBREW): as SP_LIBRARY, but only `make check` needs it.
AC_DEFUN([SP_TEST_LIBRARY], [
  AC_REQUIRE([SP_LIBRARY_INIT])
  PKG_CHECK_MODULES([$1], [$2],
    [have_$2=yes
     $2_summary="$2 `$PKG_CONFIG --modversion "$2" 2>/dev/null`"],
    [have_$2=no
     $2_summary="no $2: make check needs $3 (apt), $4 (dnf), $5 (pacman) or $6 (brew)"])
])

dnl POSIX threads and the maths library, which have no pkg-config file.
AC_DEFUN([SP_SYSTEM_LIBRARIES], [
  sp_saved_libs=$LIBS
  LIBS=
  AC_SEARCH_LIBS([pthread_create], [pthread], [], [sp_missing="$sp_missing
    POSIX threads: part of the C library"])
  AC_SEARCH_LIBS([dlopen], [dl], [], [sp_missing="$sp_missing
    dlopen: part of the C library"])
  AC_SEARCH_LIBS([erf], [m], [], [sp_missing="$sp_missing
    the maths library: part of the C library"])
  SYSTEM_LIBS=$LIBS
  LIBS=$sp_saved_libs
  AC_SUBST([SYSTEM_LIBS])
])

dnl Stops when SP_LIBRARY noted anything, with one command for each package manager.
AC_DEFUN([SP_LIBRARIES_DONE], [
  AS_IF([test -n "$sp_missing"], [
    AC_MSG_ERROR([these libraries are missing:$sp_missing

  Install them all with one of these, then run configure again:
    apt install$sp_debian
    dnf install$sp_fedora
    pacman -S$sp_arch
    brew install$sp_brew])])
])

dnl SP_COMPILER_FLAGS(VARIABLE, FLAGS): sets VARIABLE to those of FLAGS that the compiler takes.
AC_DEFUN([SP_COMPILER_FLAGS], [
  $1=
  for sp_flag in $2; do
    AC_MSG_CHECKING([whether $CC takes $sp_flag])
    sp_saved_cflags=$CFLAGS
    CFLAGS="$CFLAGS -Werror $sp_flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[int sp_flag_test;]], [[return sp_flag_test;]])],
      [AC_MSG_RESULT([yes])
       $1="$$1 $sp_flag"],
      [AC_MSG_RESULT([no])])
    CFLAGS=$sp_saved_cflags
  done
])
