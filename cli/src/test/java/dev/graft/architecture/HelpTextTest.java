package dev.graft.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import dev.graft.cli.CommandLines;
import java.lang.annotation.Annotation;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/** Help says what an option does, in its first words. */
class HelpTextTest {
    private static final Pattern ROUNDABOUT = Pattern.compile("(?:What|The same|With|Of|Whether)\\b.*");

    private static final String CURE = "help that begins with What, The same, With, Of or Whether: begin with what it"
            + " does (\"Print ...\") or what it is (\"Random seed for ...\")";

    @Test
    void commandsOptionsAndParametersSayWhatTheyDo() {
        assertThat(texts(CommandLines.graft().getCommandSpec()))
                .hasSizeGreaterThan(100)
                .filteredOn(HelpText::isRoundabout)
                .as(CURE)
                .isEmpty();
    }

    @Test
    void keysOfRecipesSayWhatTheyDo() {
        assertThat(MainClasses.ALL.stream().filter(JavaClass::isRecord).flatMap(type -> keys(type.reflect())))
                .hasSizeGreaterThan(50)
                .filteredOn(HelpText::isRoundabout)
                .as(CURE)
                .isEmpty();
    }

    @Test
    void aRoundaboutTextIsFound() {
        assertThat(texts(new CommandLine(new Sample()).getCommandSpec()).filter(HelpText::isRoundabout))
                .extracting(HelpText::place)
                .containsExactly("sample", "sample --rows", "sample FILE");
    }

    private static Stream<HelpText> texts(CommandSpec command) {
        String name = command.qualifiedName();
        Stream<HelpText> own = Stream.of(
                        Stream.of(new HelpText(name, command.usageMessage().description())),
                        command.options().stream()
                                .map(option -> new HelpText(name + " " + option.longestName(), option.description())),
                        command.positionalParameters().stream().map(each -> text(name, each)))
                .flatMap(each -> each);
        return Stream.concat(
                own, command.subcommands().values().stream().distinct().flatMap(each -> texts(each.getCommandSpec())));
    }

    private static HelpText text(String command, PositionalParamSpec parameter) {
        return new HelpText(command + " " + parameter.paramLabel(), parameter.description());
    }

    private static Stream<HelpText> keys(Class<?> type) {
        return Arrays.stream(type.getRecordComponents())
                .flatMap(component -> Arrays.stream(component.getAnnotations())
                        .filter(annotation ->
                                annotation.annotationType().getSimpleName().equals("ConfigOption"))
                        .map(annotation -> text(component, annotation)));
    }

    private static HelpText text(RecordComponent component, Annotation option) {
        try {
            Method value = option.annotationType().getDeclaredMethod("value");
            value.setAccessible(true);
            String place = component.getDeclaringRecord().getSimpleName() + "." + component.getName();
            return new HelpText(place, (String) value.invoke(option));
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    private record HelpText(String place, List<String> lines) {
        HelpText(String place, String... lines) {
            this(place, List.of(lines));
        }

        boolean isRoundabout() {
            return !lines.isEmpty() && ROUNDABOUT.matcher(lines.get(0)).matches();
        }
    }

    @CommandLine.Command(name = "sample", description = "What it is.")
    @SuppressWarnings("unused")
    private static final class Sample {
        @CommandLine.Option(names = "--rows", description = "Of the table.")
        private int rows;

        @CommandLine.Option(names = "--seed", description = "Random seed.")
        private int seed;

        @CommandLine.Parameters(paramLabel = "FILE", description = "Whether to read it.")
        private String file = "";
    }
}
