package dev.graft.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.cli.CommandLines;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** Pages name only what exists: files, types and commands. */
class MarkdownTest {
    private static final Pattern CODE_BLOCK = Pattern.compile("(?ms)^ *```.*?^ *```");
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s#]+)[^)]*\\)");
    private static final Pattern JAVA_FILE = Pattern.compile("(?<![\\w*])([A-Z]\\w*\\.java)\\b");
    private static final Pattern QUALIFIED_NAME = Pattern.compile("\\b(dev\\.graft(?:\\.\\w+)+)");
    private static final Pattern TYPE_NAME = Pattern.compile("`((?:[A-Z][a-z0-9]+){2,})`");
    private static final Pattern COMMAND = Pattern.compile("(?m)^ *\\./graft ((?:.*\\\\\n)*.*)$");
    private static final Pattern DECLARATION = Pattern.compile("\\b(?:class|interface|enum|record)\\s+(\\w+)");
    private static final Pattern WORD = Pattern.compile("(?:\"[^\"]*\"|'[^']*'|[^\\s\"'])+");

    /** The pages whose types in backticks are those of the sources. */
    private static final Pattern PAGES_OF_TYPES =
            Pattern.compile("ARCHITECTURE\\.md|CONTRIBUTING\\.md|docs/(?:architecture|concepts)/.*");

    /** Types of the JDK and of libraries. */
    private static final Set<String> FOREIGN_TYPES = Set.of("DataLoader");

    /** Names that stand for a file that the reader will write. */
    private static final Set<String> PLACEHOLDERS = Set.of(
            "NewEncoder.java",
            "NewLoss.java",
            "NewMethod.java",
            "NewMethodTest.java",
            "NewModel.java",
            "NewRowPredictor.java",
            "NewTask.java",
            "NewFormat.java",
            "NewFormatFuzzTest.java",
            "NameCommand.java",
            "NameRun.java");

    /** Words that the launcher itself understands. */
    private static final Set<String> LAUNCHER_WORDS = Set.of("test");

    private static final CommandLine GRAFT = CommandLines.graft();

    @Test
    void linksLeadToFiles() {
        assertThat(SourceFile.markdown().stream().flatMap(MarkdownTest::brokenLinks))
                .as("links to files that do not exist: mend the path, which is relative to the page")
                .isEmpty();
    }

    @Test
    void namedJavaFilesExist() {
        Set<String> files = SourceFile.java().stream().map(SourceFile::fileName).collect(Collectors.toSet());
        files.addAll(PLACEHOLDERS);
        assertThat(missing(SourceFile.markdown(), JAVA_FILE, files::contains))
                .as("Java files that do not exist: write the file's name of today")
                .isEmpty();
    }

    @Test
    void qualifiedNamesExist() {
        Set<String> names = qualifiedNames();
        assertThat(missing(SourceFile.markdown(), QUALIFIED_NAME, names::contains))
                .as("packages and types that do not exist: write the name of today")
                .isEmpty();
    }

    @Test
    void typesInBackticksExist() {
        Set<String> types = typeNames();
        List<SourceFile> pages = SourceFile.markdown().stream()
                .filter(page -> PAGES_OF_TYPES.matcher(page.path()).matches())
                .toList();
        assertThat(missing(pages, TYPE_NAME, types::contains))
                .as("types in backticks that no source declares: write the name of today, or add a library's type to"
                        + " FOREIGN_TYPES")
                .isEmpty();
    }

    @Test
    void commandsParse() {
        List<SourceFile> pages = SourceFile.markdown().stream()
                .filter(page -> page.path().equals("README.md") || page.path().startsWith("docs/"))
                .toList();
        assertThat(pages.stream().flatMap(MarkdownTest::wrongCommands))
                .as("commands that do not parse: write the command and the options of today")
                .isEmpty();
        assertThat(pages.stream().flatMap(page -> commands(page).stream())).hasSizeGreaterThan(50);
    }

    @Test
    void whatDoesNotExistIsFound() {
        SourceFile page = new SourceFile("README.md", """
            [gone](docs/none.md#part) [here](docs/README.md#part) [web](https://example.org/x)
            `NoSuchType`, `DataLoader`, NoSuch.java and dev.graft.none.Such.
            ```sh
            ./graft train --no-such-option 3
            ./graft inspect smollm2   # it's "known"
            ./graft inspectt smollm2 | head
            [x](y)
            ```
            """);
        assertThat(brokenLinks(page)).containsExactly("README.md:1: docs/none.md");
        assertThat(missing(List.of(page), TYPE_NAME, FOREIGN_TYPES::contains))
                .containsExactly("README.md:2: NoSuchType");
        assertThat(missing(List.of(page), JAVA_FILE, name -> false)).containsExactly("README.md:2: NoSuch.java");
        assertThat(missing(List.of(page), QUALIFIED_NAME, qualifiedNames()::contains))
                .containsExactly("README.md:2: dev.graft.none.Such");
        assertThat(wrongCommands(page))
                .hasSize(2)
                .anySatisfy(line -> assertThat(line).startsWith("README.md:4: ").contains("--no-such-option"))
                .anySatisfy(line -> assertThat(line).startsWith("README.md:6: ").contains("inspectt"));
    }

    private static Stream<String> brokenLinks(SourceFile page) {
        Path folder = SourceFile.ROOT.resolve(page.path()).getParent();
        return missing(
                List.of(page.without(CODE_BLOCK)),
                LINK,
                link -> link.matches("[a-z]+:.*") || Files.exists(folder.resolve(link)));
    }

    private static Stream<String> missing(List<SourceFile> pages, Pattern names, Predicate<String> exists) {
        return pages.stream()
                .flatMap(page -> names.matcher(page.text())
                        .results()
                        .filter(match -> !exists.test(match.group(1)))
                        .map(match -> page.at(match.start()) + ": " + match.group(1)));
    }

    private static Set<String> typeNames() {
        Set<String> names = new TreeSet<>(FOREIGN_TYPES);
        SourceFile.java()
                .forEach(file -> DECLARATION.matcher(file.text()).results().forEach(each -> names.add(each.group(1))));
        MainClasses.ALL.forEach(type -> names.add(type.getSimpleName()));
        return names;
    }

    /** Returns the names of all top-level types and packages. */
    private static Set<String> qualifiedNames() {
        Set<String> names = new TreeSet<>();
        for (SourceFile file : SourceFile.java()) {
            String path = file.path().replaceFirst(".*/java/", "").replaceFirst("\\.java$", "");
            for (String name = path.replace('/', '.');
                    name.contains(".");
                    name = name.substring(0, name.lastIndexOf('.'))) {
                names.add(name);
            }
        }
        return names;
    }

    private static Stream<String> wrongCommands(SourceFile page) {
        return commands(page).stream()
                .filter(command ->
                        !LAUNCHER_WORDS.contains(words(command.group(1)).get(0)))
                .flatMap(command ->
                        error(words(command.group(1))).stream().map(error -> page.at(command.start(1)) + ": " + error));
    }

    private static List<MatchResult> commands(SourceFile page) {
        return CODE_BLOCK
                .matcher(page.text())
                .results()
                .flatMap(block -> COMMAND.matcher(page.text())
                        .region(block.start(), block.end())
                        .results())
                .toList();
    }

    /** Splits a line of a shell into words, up to a comment, a pipe or a redirection. */
    private static List<String> words(String line) {
        return WORD.matcher(line.replace("\\\n", " "))
                .results()
                .map(MatchResult::group)
                .takeWhile(word -> !word.matches("#.*|[|<>&;]+"))
                .map(word -> word.replaceAll("[\"']", ""))
                .toList();
    }

    /** Parses a command line. The command train takes every word: of these, options of methods have a dot, and --data is its short name of data.train. */
    private static Optional<String> error(List<String> words) {
        try {
            CommandLine.ParseResult parsed = GRAFT.parseArgs(words.toArray(String[]::new));
            while (parsed.hasSubcommand()) {
                parsed = parsed.subcommand();
            }
            return parsed.matchedPositionals().stream()
                    .flatMap(positional -> positional.originalStringValues().stream())
                    .filter(word -> word.matches("--[\\w-]+") && !word.equals("--data"))
                    .map(word -> "Unknown option: " + word)
                    .findFirst();
        } catch (CommandLine.ParameterException e) {
            return Optional.of(e.getMessage());
        }
    }
}
