package dev.graft.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** A reader who knows the simple name of a public type knows the type. */
class NamesTest {

    @Test
    void noTwoPublicTypesShareAName() {
        assertThat(shared(MainClasses.ALL, JavaClass::isTopLevelClass))
                .as("simple names of several public types: rename all but one by what each is of")
                .isEmpty();
    }

    @Test
    void aSharedNameIsFound() {
        JavaClasses classes = new ClassFileImporter().importClasses(One.Twice.class, Other.Twice.class, One.class);
        assertThat(shared(classes, type -> true)).containsOnlyKeys("Twice");
    }

    private static Map<String, List<String>> shared(JavaClasses classes, Predicate<JavaClass> counts) {
        Map<String, List<String>> names = classes.stream()
                .filter(type -> type.getModifiers().contains(JavaModifier.PUBLIC))
                .filter(counts)
                .collect(Collectors.groupingBy(
                        JavaClass::getSimpleName,
                        TreeMap::new,
                        Collectors.mapping(JavaClass::getName, Collectors.toList())));
        names.values().removeIf(types -> types.size() == 1);
        return names;
    }

    static final class One {
        public static final class Twice {}
    }

    static final class Other {
        public static final class Twice {}
    }
}
