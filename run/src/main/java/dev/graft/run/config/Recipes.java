package dev.graft.run.config;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Finds recipe files by path or, for those that come with Graft, by name. */
public final class Recipes {
    private static final Pattern OWN_FILE = Pattern.compile("recipes/[\\w./-]+");

    private final List<Path> folders;

    /** Searches {@code recipes/} of these folders, in their order. */
    public Recipes(List<Path> folders) {
        this.folders = folders.stream().map(folder -> folder.resolve("recipes")).toList();
    }

    /** Searches the working directory, then the project of the launcher ({@code graft.home}). */
    public static Recipes ofProject() {
        String home = System.getProperty("graft.home", "");
        return new Recipes(home.isEmpty() ? List.of(Path.of("")) : List.of(Path.of(""), Path.of(home)));
    }

    /**
     * Finds a recipe: a path unchanged, a bare name as {@code recipes/name.yaml}.
     *
     * @throws InputException if there is none, with the nearest existing name
     */
    public Path find(String name) {
        Path path = Path.of(name);
        if (Files.isRegularFile(path)) {
            return path;
        }
        String file = name.endsWith(".yaml") || name.endsWith(".yml") ? name : name + ".yaml";
        if (path.getNameCount() == 1) {
            for (Path folder : folders) {
                if (Files.isRegularFile(folder.resolve(file))) {
                    return folder.resolve(file);
                }
            }
        }
        List<String> names = names();
        String advice = NearestName.find(file.replaceFirst(".*/", "").replaceFirst("\\.ya?ml$", ""), names)
                .map(nearest -> "did you mean " + nearest + "?")
                .orElse(
                        names.isEmpty()
                                ? "give the path of a YAML file, or options as key=value"
                                : "recipes: " + String.join(", ", names));
        throw new InputException("no recipe " + name + "; " + advice);
    }

    /**
     * Returns the file that a recipe names. A name {@code recipes/…} that the working directory does not have is looked up in the project that the
     * recipe comes from, so that Graft's own recipes run from any folder.
     */
    static String file(Path recipe, String named) {
        Path folder = recipe.toAbsolutePath().normalize().getParent();
        Path project = folder == null ? null : folder.getParent();
        if (project == null || !OWN_FILE.matcher(named).matches() || Files.exists(Path.of(named))) {
            return named;
        }
        Path there = project.resolve(named);
        return Files.isRegularFile(there) ? there.toString() : named;
    }

    /** Returns the text of a recipe, found as {@link #find} does. */
    public String text(String name) {
        return read(find(name));
    }

    /** Returns what a recipe does: the first line of its text, if that is a comment, else nothing. */
    public String title(String name) {
        String first = text(name).lines().findFirst().orElse("");
        return first.startsWith("#") ? first.replaceFirst("#+\\s*", "") : "";
    }

    /**
     * Copies a recipe and the files {@code recipes/…} that it names into {@code recipes/} of a folder. Runs started in that folder find
     * the copy before Graft's own.
     *
     * @return the new files, the recipe first
     * @throws InputException if one of them exists; nothing is written then
     */
    public List<Path> copy(String name, Path folder) {
        Path recipe = find(name);
        Map<Path, Path> copies = new LinkedHashMap<>();
        copies.put(folder.resolve("recipes").resolve(recipe.getFileName()), recipe);
        for (String line : read(recipe).lines().toList()) {
            Matcher named = OWN_FILE.matcher(line.replaceFirst("#.*", ""));
            while (named.find()) {
                copies.put(folder.resolve(named.group()), Path.of(file(recipe, named.group())));
            }
        }
        for (Path copy : copies.keySet()) {
            if (Files.exists(copy)) {
                throw new InputException(copy + " exists; delete it, or copy to another folder");
            }
        }
        copies.forEach((copy, original) -> {
            try {
                Files.createDirectories(copy.toAbsolutePath().getParent());
                AtomicWrite.bytes(copy, Files.readAllBytes(original));
            } catch (IOException error) {
                throw new InputException("cannot copy " + original + " to " + copy + ": " + error.getMessage(), error);
            }
        });
        return List.copyOf(copies.keySet());
    }

    private static String read(Path recipe) {
        try {
            return Files.readString(recipe);
        } catch (IOException error) {
            throw new InputException("cannot read " + recipe + ": " + error.getMessage(), error);
        }
    }

    /** Returns the names of the existing recipes, in alphabetical order. */
    public List<String> names() {
        return folders.stream()
                .filter(Files::isDirectory)
                .flatMap(folder -> {
                    try (Stream<Path> files = Files.list(folder)) {
                        return files.map(file -> file.getFileName().toString()).toList().stream();
                    } catch (IOException e) {
                        throw new InputException("cannot list " + folder + ": " + e.getMessage(), e);
                    }
                })
                .filter(file -> file.endsWith(".yaml"))
                .map(file -> file.substring(0, file.length() - ".yaml".length()))
                .distinct()
                .sorted()
                .toList();
    }
}
