package dev.graft.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Runs the launcher script in a small tree of its own, where scripts stand in for Maven and the JDK and note how they were called. */
@DisabledOnOs(OS.WINDOWS)
class LauncherTest {
    private static final Path GRAFT = Path.of("../graft").toAbsolutePath().normalize();

    private static final List<String> SYSTEM_TOOLS = List.of(
            "awk",
            "cat",
            "cp",
            "date",
            "dirname",
            "find",
            "flock",
            "getconf",
            "grep",
            "head",
            "mkdir",
            "mv",
            "readlink",
            "rm",
            "sed",
            "sleep",
            "tail",
            "touch",
            "uname");

    @TempDir
    Path temp;

    private Path tree;
    private Path bin;
    private Path jdk;
    private final Map<String, String> environment = new TreeMap<>();

    @BeforeEach
    void layOutASmallTree() throws IOException {
        tree = Files.createDirectories(temp.resolve("a folder with spaces"));
        bin = Files.createDirectories(temp.resolve("bin"));
        jdk = Files.createDirectories(temp.resolve("jdk"));
        Files.copy(GRAFT, tree.resolve("graft"));
        Files.createDirectories(tree.resolve(".mvn"));
        Files.writeString(tree.resolve("pom.xml"), "<project/>");
        Files.createDirectories(tree.resolve("cli/src/main/java"));
        Files.writeString(tree.resolve("cli/pom.xml"), "<project/>");
        Files.writeString(tree.resolve("cli/src/main/java/A.java"), "class A {}");
        Files.writeString(temp.resolve("library.jar"), "");
        for (String tool : SYSTEM_TOOLS) {
            for (Path folder : List.of(Path.of("/usr/bin"), Path.of("/bin"))) {
                if (Files.exists(folder.resolve(tool)) && !Files.exists(bin.resolve(tool))) {
                    script(bin.resolve(tool), "exec " + folder.resolve(tool) + " \"$@\"");
                }
            }
        }
        script(bin.resolve("id"), "echo 1000");
        installMaven();
        installJdk("17.0.9");
        environment.put("PATH", bin.toString());
        environment.put("JAVA_HOME", jdk.toString());
        environment.put("LANG", "en_GB.UTF-8");
        environment.put("TMPDIR", temp.toString());
        makeSourcesOld();
    }

    @Test
    void firstRunBuildsAndSaysSoOnce() throws Exception {
        Run run = graft("--version");
        assertThat(run.status()).isZero();
        assertThat(run.err()).containsOnlyOnce("building for the first time").contains("build.log");
        assertThat(run.out()).contains("dev.graft.cli.Graft").endsWith("--version\n");
        assertThat(calls("mvn")).hasSize(1).first().asString().contains("-pl cli -am", "package");
    }

    @Test
    void laterRunsStartWithoutMavenAndWithoutAWord() throws Exception {
        graft("--version");
        Run again = graft("--version");
        assertThat(again.err()).isEmpty();
        assertThat(calls("mvn")).hasSize(1);
    }

    @Test
    void runsACopyOfTheJarsSoThatALaterBuildCannotChangeThem() throws Exception {
        assertThat(graft().out()).contains("target/graft/build-").doesNotContain("cli/target/graft-cli.jar");
    }

    @Test
    void aChangedSourceIsBuiltAgain() throws Exception {
        graft();
        Files.writeString(tree.resolve("cli/src/main/java/A.java"), "class A { int b; }");
        assertThat(graft().err()).contains("something changed");
        assertThat(graft().err()).isEmpty();
        assertThat(calls("mvn")).hasSize(2);
    }

    @Test
    void aDeletedSourceAndAChangedPomAreBuiltAgain() throws Exception {
        graft();
        Files.delete(tree.resolve("cli/src/main/java/A.java"));
        graft();
        Files.writeString(tree.resolve("cli/pom.xml"), "<project></project>");
        graft();
        assertThat(calls("mvn")).hasSize(3);
    }

    @Test
    void aLibraryThatDisappearedOrATreeThatMovedIsBuiltAgain() throws Exception {
        graft();
        Files.delete(temp.resolve("library.jar"));
        graft();
        Path moved = temp.resolve("moved");
        Files.move(tree, moved);
        tree = moved;
        assertThat(graft().out()).contains(moved.toString()).doesNotContain("a folder with spaces");
        assertThat(calls("mvn")).hasSize(3);
    }

    @Test
    void anEditDuringTheBuildIsNotLost() throws Exception {
        environment.put(
                "EDIT_WHILE_BUILDING", tree.resolve("cli/src/main/java/A.java").toString());
        graft();
        environment.remove("EDIT_WHILE_BUILDING");
        graft();
        assertThat(calls("mvn")).hasSize(2);
    }

    @Test
    void aFailedBuildShowsItsErrorAndIsTriedAgain() throws Exception {
        environment.put("MAVEN_FAILS", "1");
        Run failed = graft("train");
        assertThat(failed.status()).isEqualTo(1);
        assertThat(failed.out()).isEmpty();
        assertThat(failed.err()).contains("[ERROR] A.java:[1,1] broken", "target/graft/build.log");
        environment.remove("MAVEN_FAILS");
        assertThat(graft().status()).isZero();
    }

    @Test
    void aBuildThatCannotPrintItsHelpIsAFailedBuild() throws Exception {
        environment.put("JAVA_FAILS", "1");
        Run failed = graft("train");
        assertThat(failed.status()).isEqualTo(1);
        assertThat(failed.err()).contains("could not find or load main class", "the build failed");
        assertThat(tree.resolve("target/graft/current")).doesNotExist();
    }

    @Test
    void anInterruptedBuildLeavesNothingThatLooksBuilt() throws Exception {
        environment.put("MAVEN_SLEEPS", "30");
        Process process = start(tree, List.of(tree.resolve("graft").toString()));
        while (calls("mvn").isEmpty()) {
            Thread.sleep(10);
        }
        process.descendants().forEach(ProcessHandle::destroy);
        process.destroy();
        assertThat(process.waitFor()).isNotZero();
        assertThat(tree.resolve("target/graft/current")).doesNotExist();
        environment.remove("MAVEN_SLEEPS");
        assertThat(graft().status()).isZero();
    }

    @Test
    void twoFirstRunsBuildOnce() throws Exception {
        environment.put("MAVEN_SLEEPS", "1");
        Process one = start(tree, List.of(tree.resolve("graft").toString()));
        Process two = start(tree, List.of(tree.resolve("graft").toString()));
        assertThat(one.waitFor()).isZero();
        assertThat(two.waitFor()).isZero();
        assertThat(calls("mvn")).hasSize(1);
    }

    @Test
    void worksThroughALinkAndFromAnyFolder() throws Exception {
        Path link = Files.createSymbolicLink(temp.resolve("link"), Path.of("a folder with spaces/graft"));
        Path second = Files.createSymbolicLink(temp.resolve("second"), link);
        Run run = run(Path.of("/"), second.toString(), "inspect", "two words", "");
        assertThat(run.status()).isZero();
        assertThat(run.out()).endsWith("inspect\ntwo words\n\n");
    }

    @Test
    void optionsForTheBuildReachMavenAndBuildAgainWhenTheyChange() throws Exception {
        graft();
        environment.put("GRAFT_BUILD_OPTS", "-Pcuda -o");
        graft();
        graft();
        assertThat(calls("mvn")).hasSize(2).last().asString().contains("-Pcuda -o package");
    }

    @Test
    void theExitStatusIsThatOfTheProgram() throws Exception {
        graft();
        environment.put("JAVA_FAILS", "2");
        assertThat(graft("train").status()).isEqualTo(2);
    }

    @Test
    void setsTheJvmBeforeItStarts() throws Exception {
        environment.put("LANG", "C");
        environment.put("JAVA_OPTS", "-Xmx3g -Da=b");
        environment.put("GRAFT_OPTS", "-XX:+UseG1GC");
        assertThat(graft("train").out())
                .contains("--enable-native-access=ALL-UNNAMED", "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0")
                .contains("-Dorg.bytedeco.javacpp.maxBytes=0", "-Dai.djl.offline=true", "-Dfile.encoding=UTF-8")
                .contains("-Xmx3g\n-Da=b\n-XX:+UseG1GC\n", "LC_ALL=C.UTF-8")
                .doesNotContain("UseSerialGC", "TieredStopAtLevel");
        assertThat(graft("train", "--help").out()).contains("TieredStopAtLevel=1");
    }

    @Test
    void mallocSettingsGiveWayToTheUsers() throws Exception {
        environment.put("GLIBC_TUNABLES", "");
        assertThat(graft().out()).contains("GLIBC_TUNABLES=\n");
        environment.remove("GLIBC_TUNABLES");
        script(bin.resolve("getconf"), "echo 'glibc 2.36'");
        assertThat(graft().out()).contains("GLIBC_TUNABLES=glibc.malloc.arena_max=", "top_pad=");
        assertThat(graft("train", "memory_limit=700m").out())
                .contains("GLIBC_TUNABLES=glibc.malloc.arena_max=", ":glibc.malloc.mmap_threshold=262144:")
                .contains("-Xms16m\n", "-XX:-ShrinkHeapInSteps\n")
                .doesNotContain("-Xms64m");
        script(bin.resolve("getconf"), "exit 1");
        assertThat(graft().out()).contains("GLIBC_TUNABLES=\n");
    }

    @Test
    void waitingThreadsOfAServerGiveWayToTheUsersSettings() throws Exception {
        assertThat(graft("serve", "base").out()).contains("GOMP_SPINCOUNT=5000\n");
        assertThat(graft("train").out()).contains("GOMP_SPINCOUNT=\n");
        environment.put("OMP_WAIT_POLICY", "active");
        assertThat(graft("serve", "base").out()).contains("GOMP_SPINCOUNT=\n");
        environment.remove("OMP_WAIT_POLICY");
        environment.put("GOMP_SPINCOUNT", "7");
        assertThat(graft("serve", "base").out()).contains("GOMP_SPINCOUNT=7\n");
    }

    @Test
    void whatOneDnnKeepsGivesWayToTheUsers() throws Exception {
        assertThat(graft("train").out())
                .containsPattern("ONEDNN_PRIMITIVE_CACHE_CAPACITY=[1-9][0-9]+\n")
                .contains("LRU_CACHE_CAPACITY=64\n");
        environment.put("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "1024");
        environment.put("LRU_CACHE_CAPACITY", "512");
        assertThat(graft("train").out()).contains("ONEDNN_PRIMITIVE_CACHE_CAPACITY=1024\n", "LRU_CACHE_CAPACITY=512\n");
    }

    @Test
    void withoutMavenAndTheRightToInstallItNamesTheCommand() throws Exception {
        Files.delete(bin.resolve("mvn"));
        script(bin.resolve("apt-get"), "exit 1");
        script(bin.resolve("apt-cache"), "exit 0");
        Run run = graft("demo");
        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("sudo apt-get install -y --no-install-recommends openjdk-17-jdk-headless maven");
        assertThat(tree.resolve("target")).doesNotExist();
    }

    @Test
    void rootGetsMavenInstalled() throws Exception {
        Path maven = Files.move(bin.resolve("mvn"), temp.resolve("mvn"));
        script(bin.resolve("id"), "echo 0");
        script(bin.resolve("apt-cache"), "exit 1");
        script(
                bin.resolve("apt-get"),
                "echo \"$@\" >>'" + temp + "/apt-get.calls'; [ \"$1\" = update ] || cp '" + maven + "' '" + bin
                        + "/mvn'");
        assertThat(graft().status()).isZero();
        assertThat(calls("apt-get"))
                .containsExactly("update", "install -y --no-install-recommends default-jdk-headless maven");
    }

    @Test
    void anOldJdkIsNotTaken() throws Exception {
        installJdk("11.0.20");
        assertThat(graft().out()).doesNotContain("JAVA=" + jdk);
    }

    @Test
    void testRunsTheWholeBuildAndPrintsTheCoverageAskedFor() throws Exception {
        Path report = Files.createDirectories(tree.resolve("cli/target/site/jacoco-aggregate"))
                .resolve("jacoco.csv");
        Files.writeString(report, """
                GROUP,PACKAGE,CLASS,INSTRUCTION_MISSED,INSTRUCTION_COVERED,BRANCH_MISSED,BRANCH_COVERED,LINE_MISSED,LINE_COVERED
                a,b,C,1,3,1,1,10,30
                a,b,D,0,5,0,2,0,10
                """);
        Run run = graft("test", "-Pcoverage");
        assertThat(run.status()).isZero();
        assertThat(run.out()).endsWith("Coverage: 80.0 % of 50 lines, 75.0 % of 4 branches\n");
        assertThat(graft("test", "-Pslow").out()).doesNotContain("Coverage");
        assertThat(calls("mvn")).containsExactly("-B verify -Pcoverage", "-B verify -Pslow");
        environment.put("MAVEN_FAILS", "1");
        assertThat(graft("test").status()).isEqualTo(1);
    }

    private void installMaven() throws IOException {
        script(bin.resolve("mvn"), """
                echo "$@" >>'%s/mvn.calls'
                [ -z "${MAVEN_FAILS:-}" ] || { echo '[ERROR] A.java:[1,1] broken'; exit 1; }
                [ -z "${EDIT_WHILE_BUILDING:-}" ] || { sleep 0.05; touch "$EDIT_WHILE_BUILDING"; }
                sleep "${MAVEN_SLEEPS:-0}"
                mkdir -p cli/target && echo jar >cli/target/graft-cli.jar
                echo jar >'%s/library.jar'
                printf '%%s' '%s/library.jar' >cli/target/classpath
                """.formatted(temp, temp, temp));
    }

    private void installJdk(String version) throws IOException {
        Files.createDirectories(jdk.resolve("bin"));
        Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"" + version + "\"\n");
        script(jdk.resolve("bin/java"), """
                [ -z "${JAVA_FAILS:-}" ] || { echo 'could not find or load main class'; exit "$JAVA_FAILS"; }
                printf 'JAVA=%%s\\nLC_ALL=%%s\\nGLIBC_TUNABLES=%%s\\n' '%s' "${LC_ALL:-}" "${GLIBC_TUNABLES:-}"
                printf 'ONEDNN_PRIMITIVE_CACHE_CAPACITY=%%s\\n' "${ONEDNN_PRIMITIVE_CACHE_CAPACITY:-}"
                printf 'LRU_CACHE_CAPACITY=%%s\\n' "${LRU_CACHE_CAPACITY:-}"
                printf 'GOMP_SPINCOUNT=%%s\\n' "${GOMP_SPINCOUNT:-}"
                printf '%%s\\n' "$@"
                """.formatted(jdk));
        script(jdk.resolve("bin/javac"), "exit 0");
    }

    private void makeSourcesOld() throws IOException {
        FileTime anHourAgo = FileTime.from(Instant.now().minusSeconds(3600));
        try (Stream<Path> all = Files.walk(tree)) {
            for (Path path : all.toList()) {
                Files.setLastModifiedTime(path, anHourAgo);
            }
        }
    }

    private static void script(Path path, String body) throws IOException {
        Files.deleteIfExists(path);
        Files.writeString(path, "#!/bin/sh\n" + body + "\n", StandardOpenOption.CREATE_NEW);
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private List<String> calls(String program) throws IOException {
        Path log = temp.resolve(program + ".calls");
        return Files.exists(log) ? Files.readAllLines(log) : List.of();
    }

    private record Run(int status, String out, String err) {}

    private Run graft(String... arguments) throws IOException, InterruptedException {
        return run(
                tree, Stream.concat(Stream.of("./graft"), Stream.of(arguments)).toArray(String[]::new));
    }

    private Run run(Path folder, String... command) throws IOException, InterruptedException {
        Path out = Files.createTempFile(temp, "out", "");
        Path err = Files.createTempFile(temp, "err", "");
        Process process = builder(folder, List.of(command))
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return new Run(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    private Process start(Path folder, List<String> command) throws IOException {
        return builder(folder, command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    private ProcessBuilder builder(Path folder, List<String> command) {
        ProcessBuilder builder = new ProcessBuilder(new ArrayList<>(command)).directory(folder.toFile());
        builder.environment().clear();
        builder.environment().putAll(environment);
        return builder;
    }
}
