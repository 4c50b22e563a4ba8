# What the launchers share: finding a JDK, building a jar, becoming Java. Sourced with `name` (for messages), `root` (the sources' folder),
# `module` and `jar` set; they call `launch` with Java's last options.

oldest_java=25

# The file that a chain of symbolic links ends at.
resolve() {
    file=$1
    while [ -L "$file" ]; do
        target=$(readlink "$file")
        case $target in
            /*) file=$target ;;
            *) file=$(dirname "$file")/$target ;;
        esac
    done
    printf '%s\n' "$file"
}

# Whether a folder holds a JDK (with javac: the jar may have to be built) that is new enough.
is_jdk() {
    [ -x "$1/bin/java" ] && [ -x "$1/bin/javac" ] || return 1
    if [ -r "$1/release" ]; then
        version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release")
    else
        version=$("$1/bin/java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
    fi
    [ "${version:-0}" -ge "$oldest_java" ]
}

# Sets java_home to the first JDK that is new enough.
find_jdk() {
    for java_home in "$RANKINE_JAVA_HOME" "$JAVA_HOME"; do
        [ -n "$java_home" ] && is_jdk "$java_home" && return
    done
    if java=$(command -v java); then
        java_home=$(dirname "$(dirname "$(resolve "$java")")")
        is_jdk "$java_home" && return
        if [ ! -r "$java_home/release" ]; then
            # A stub, as macOS and some version managers have: the Java that it starts knows its own folder.
            java_home=$("$java" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.home = //p')
            [ -n "$java_home" ] && is_jdk "$java_home" && return
        fi
    fi
    if [ -x /usr/libexec/java_home ]; then
        java_home=$(/usr/libexec/java_home -v "$oldest_java+" 2>/dev/null) && is_jdk "$java_home" && return
    fi
    for java_home in /usr/lib/jvm/* /opt/* "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/* \
        /Library/Java/JavaVirtualMachines/*/Contents/Home "$HOME"/Library/Java/JavaVirtualMachines/*/Contents/Home; do
        is_jdk "$java_home" && return
    done
    return 1
}

# Whether the jar is there and nothing that it is made of is newer (a folder is, when a file in it was added or removed).
is_built() {
    [ -f "$jar" ] || return 1
    newer=$(cd "$root" && find pom.xml ./*/pom.xml ./*/src/main -newer "$jar" 2>/dev/null | head -n 1)
    [ -z "$newer" ]
}

# Sets java_home, or says what to install.
require_jdk() {
    if [ -n "$RANKINE_JAVA_HOME" ] && ! is_jdk "$RANKINE_JAVA_HOME"; then
        echo "$name: RANKINE_JAVA_HOME=$RANKINE_JAVA_HOME holds no JDK $oldest_java or newer: set it to one, or unset it" >&2
        exit 1
    fi
    if ! find_jdk; then
        echo "$name: needs a JDK $oldest_java or newer: install one (https://adoptium.net) or set RANKINE_JAVA_HOME to its folder" >&2
        exit 1
    fi
}

# Builds the jar where it is missing or old.
require_jar() {
    is_built && return
    echo "$name: building $jar (the first time downloads its libraries)" >&2
    started=$(mktemp) || exit 1
    # No half-written jar stays behind, nor an old one that would run in the place of what failed to build.
    trap 'rm -f "$jar" "$started"; exit 130' INT TERM HUP
    if ! (cd "$root" && JAVA_HOME=$java_home ./mvnw -q -Dmaven.test.skip -Dquick -pl "$module" -am package) >&2; then
        rm -f "$jar" "$started"
        echo "$name: the build failed, see above" >&2
        exit 1
    fi
    # As old as the sources that it was made of: what was edited meanwhile is newer.
    touch -r "$started" "$jar"
    rm -f "$started"
    trap - INT TERM HUP
}

# Whether these arguments ask for TornadoVM, and it is there.
wants_tornado() {
    [ -n "$TORNADOVM_HOME" ] || return 1
    [ "${1:-}" = devices ] && return
    before=
    for argument; do
        case $before$argument in
            --kernelstornado | *--kernels=tornado | -pkernels=*tornado*) return ;;
        esac
        before=$argument
    done
    return 1
}

# Sets tornado_arguments to TornadoVM's file of options for Java, or says what is missing; a jar without its kernels is built again.
require_tornado() {
    tornado_arguments=$TORNADOVM_HOME/tornado-argfile
    if [ ! -r "$tornado_arguments" ]; then
        echo "$name: TORNADOVM_HOME=$TORNADOVM_HOME has no tornado-argfile: set it to TornadoVM's SDK and make the file there with tornado --generate-argfile" >&2
        exit 1
    fi
    if [ -f "$jar" ] && ! "$java_home/bin/jar" tf "$jar" | grep -q TornadoKernelsProvider; then
        rm -f "$jar"
    fi
}

# Becomes Java with the options that every run has and those given.
launch() {
    require_jdk
    # TornadoVM's options choose a collector themselves.
    options=-XX:+UseSerialGC
    if wants_tornado "$@"; then
        require_tornado
        options=@$tornado_arguments
    fi
    require_jar
    # Java reads arguments and file names as the locale encodes them, and the C locale knows ASCII alone.
    if [ "$(locale charmap 2>/dev/null)" = ANSI_X3.4-1968 ]; then
        LC_ALL=C.UTF-8
        export LC_ALL
    fi
    # shellcheck disable=SC2086 # RANKINE_JAVA_OPTS holds several options
    exec "$java_home/bin/java" "$options" --add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED \
        -XX:MaxRAMPercentage=25 -Drankine.launcher="$0" $RANKINE_JAVA_OPTS -jar "$jar" "$@"
}
