package dev.graft.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvent;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;

/** The arrows between the rooms, the privacy of each and the names inside them. */
class RoomsTest {

    /** For each room, the rooms it stands on directly; it may use those and what they stand on. */
    private static final Map<String, Set<String>> STANDS_ON = new LinkedHashMap<>();

    static {
        STANDS_ON.put("formats", Set.of());
        STANDS_ON.put("hub", Set.of("formats"));
        STANDS_ON.put("tensor", Set.of());
        STANDS_ON.put("models", Set.of("tensor", "formats", "hub"));
        STANDS_ON.put("peft", Set.of("models"));
        STANDS_ON.put("train", Set.of("peft"));
        STANDS_ON.put("eval", Set.of("train"));
        STANDS_ON.put("parity", Set.of("eval"));
        STANDS_ON.put("run", Set.of("eval"));
        STANDS_ON.put("serve", Set.of("peft"));
        STANDS_ON.put("langchain4j", Set.of("serve"));
        STANDS_ON.put("cli", Set.of("run", "parity", "serve"));
    }

    private static final JavaClasses GRAFT = MainClasses.ALL;

    @Test
    void everyClassLivesInAKnownRoom() {
        Set<String> rooms = GRAFT.stream().map(RoomsTest::room).collect(Collectors.toCollection(TreeSet::new));
        assertThat(rooms).contains("cli", "langchain4j").isSubsetOf(STANDS_ON.keySet());
    }

    @Test
    void arrowsGoDownOnly() {
        STANDS_ON
                .keySet()
                .forEach(room -> classes()
                        .that(liveIn(room))
                        .should(useOnly(reachableFrom(room)))
                        .allowEmptyShould(true)
                        .check(GRAFT));
    }

    @Test
    void anArrowThatGoesUpIsFound() {
        JavaClasses self = new ClassFileImporter().importClasses(RoomsTest.class, AnArrowUp.class);
        assertThatThrownBy(() -> classes().should(useOnly(Set.of("formats"))).check(self))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("AnArrowUp");
    }

    @Test
    void internalPackagesAreUsedByTheirOwnRoomOnly() {
        classes().should(keepOutOfOtherRoomsInternals()).check(GRAFT);
    }

    @Test
    void filesAndSourcesNeedNoNativeCode() {
        noClasses()
                .that(liveIn("formats").or(liveIn("hub")))
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.bytedeco..", "ai.djl..")
                .check(GRAFT);
    }

    @Test
    void namesAreConcepts() {
        noClasses()
                .should()
                .haveNameMatching(".*(Utils?|Manager|Impl|Helpers?|Common|Misc)")
                .orShould()
                .resideInAnyPackage("..util..", "..utils..", "..common..", "..impl..", "..helper..", "..manager..")
                .check(GRAFT);
    }

    @Test
    void everyPackageDeclaresItsNulls() {
        assertThat(GRAFT.stream().map(JavaClass::getPackage).distinct())
                .filteredOn(p -> !p.isAnnotatedWith(NullMarked.class))
                .extracting(JavaPackage::getName)
                .as("packages without @NullMarked in package-info.java")
                .isEmpty();
    }

    @Test
    void nothingReadsSerialisedObjects() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .areAssignableTo(ObjectInputStream.class)
                .check(GRAFT);
    }

    @Test
    void onlyTheCommandLineEndsTheProcess() {
        noClasses()
                .that(DescribedPredicate.not(liveIn("cli")))
                .should()
                .callMethod(System.class, "exit", int.class)
                .orShould()
                .callMethod(Runtime.class, "halt", int.class)
                .check(GRAFT);
    }

    @Test
    void typesOfTensorsAreComparedByValue() throws IOException {
        Pattern byName = Pattern.compile("[!=]= ScalarType\\.\\w+\\b(?!\\.value)|ScalarType\\.\\w+ [!=]=");
        try (Stream<Path> files = Files.walk(Path.of(".."))) {
            assertThat(files.filter(file -> file.toString().contains("src/main/java/"))
                            .filter(file -> file.toString().endsWith(".java")))
                    .as("a tensor says its type by an object of its own, so that == with a constant is never true")
                    .hasSizeGreaterThan(100)
                    .noneMatch(file -> byName.matcher(read(file)).find());
        }
        assertThat(byName.matcher("x.scalar_type() == ScalarType.Float ? 1 : 2").find())
                .isTrue();
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String room(JavaClass type) {
        String[] parts = type.getPackageName().split("\\.", -1);
        return parts.length > 2 && type.getPackageName().startsWith("dev.graft.") ? parts[2] : "";
    }

    private static Set<String> reachableFrom(String room) {
        Set<String> reached = new TreeSet<>(Set.of(room));
        STANDS_ON.get(room).forEach(below -> reached.addAll(reachableFrom(below)));
        return reached;
    }

    private static DescribedPredicate<JavaClass> liveIn(String room) {
        return DescribedPredicate.describe("live in " + room, type -> room(type).equals(room));
    }

    private static ArchCondition<JavaClass> useOnly(Set<String> rooms) {
        return new ArchCondition<>("use only " + rooms) {
            @Override
            public void check(JavaClass type, ConditionEvents events) {
                type.getDirectDependenciesFromSelf().stream()
                        .filter(use -> isGraft(use.getTargetClass()))
                        .filter(use -> !rooms.contains(room(use.getTargetClass())))
                        .forEach(use -> events.add(violation(use)));
            }
        };
    }

    private static ArchCondition<JavaClass> keepOutOfOtherRoomsInternals() {
        return new ArchCondition<>("keep out of other rooms' internal packages") {
            @Override
            public void check(JavaClass type, ConditionEvents events) {
                type.getDirectDependenciesFromSelf().stream()
                        .filter(use -> isGraft(use.getTargetClass()))
                        .filter(use -> (use.getTargetClass().getPackageName() + ".").contains(".internal."))
                        .filter(use -> !room(use.getTargetClass()).equals(room(type)))
                        .forEach(use -> events.add(violation(use)));
            }
        };
    }

    private static boolean isGraft(JavaClass type) {
        return type.getPackageName().startsWith("dev.graft.");
    }

    private static ConditionEvent violation(Dependency use) {
        return SimpleConditionEvent.violated(use, use.getDescription());
    }

    /** Stands outside every room below and uses the test itself, so that the check has something to find. */
    private static final class AnArrowUp {
        @SuppressWarnings("unused")
        private final RoomsTest above = new RoomsTest();
    }
}
