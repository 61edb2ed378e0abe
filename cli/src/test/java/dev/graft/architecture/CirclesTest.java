package dev.graft.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** No two source files use each other, directly or by way of others, and no two packages. */
class CirclesTest {
    private static final String CURE = "circles between %s: move what both need into a third one, pass a function"
            + " instead of an object, or move a nested type, constant or factory to its user";

    @Test
    void sourceFilesFormNoCircle() {
        requireNone(DependencyGraph.of(MainClasses.ALL, MainClasses::sourceType), "source files");
    }

    @Test
    void packagesFormNoCircle() {
        requireNone(DependencyGraph.of(MainClasses.ALL, JavaClass::getPackageName), "packages");
    }

    private static void requireNone(DependencyGraph graph, String units) {
        assertThat(graph.circles()).as(CURE, units).isEmpty();
    }

    @Test
    void aCircleIsFound() {
        JavaClasses classes = new ClassFileImporter().importClasses(Left.class, Right.class, Outside.class);
        assertThat(DependencyGraph.of(classes, JavaClass::getSimpleName).circles())
                .singleElement()
                .asString()
                .contains("a circle of 2", "Left -> Right: ", "Right -> Left: ")
                .doesNotContain("Outside");
    }

    @Test
    void aLineIsNoCircleAndTheShortestIsNamed() {
        assertThat(new DependencyGraph(Map.of("a", Map.of("b", "", "c", ""), "b", Map.of("c", ""))).circles())
                .isEmpty();
        assertThat(new DependencyGraph(
                                Map.of("a", Map.of("b", ""), "b", Map.of("c", ""), "c", Map.of("a", "", "b", "")))
                        .circles())
                .singleElement()
                .asString()
                .contains("a circle of 2 in a knot of 3 [a, b, c]", "b -> c", "c -> b");
    }

    @SuppressWarnings("unused")
    private static final class Left {
        private Right[] right = {};
    }

    @SuppressWarnings("unused")
    private static final class Right {
        private Left left = new Left();
    }

    @SuppressWarnings("unused")
    private static final class Outside {
        private Left left = new Left();
    }
}
