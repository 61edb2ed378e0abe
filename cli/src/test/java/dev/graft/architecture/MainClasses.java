package dev.graft.architecture;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Map;
import java.util.stream.Collectors;

/** The classes of all modules without those of tests. */
final class MainClasses {
    static final JavaClasses ALL = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.graft");

    private static final Map<String, String> RECORD_OF_BUILDER = ALL.stream()
            .filter(type -> type.isTopLevelClass()
                    && type.isAnnotatedWith("io.soabase.recordbuilder.core.RecordBuilderGenerated"))
            .flatMap(builder -> builder.tryGetMethod("build").stream())
            .collect(Collectors.toMap(
                    build -> build.getOwner().getName(),
                    build -> outermost(build.getRawReturnType().getName())));

    private MainClasses() {}

    /** Returns the name of the top-level type of a source file: a generated builder counts as part of its record's. */
    static String sourceType(JavaClass type) {
        String name = outermost(type.getName());
        return RECORD_OF_BUILDER.getOrDefault(name, name);
    }

    private static String outermost(String name) {
        int end = name.indexOf('$');
        return end < 0 ? name : name.substring(0, end);
    }
}
