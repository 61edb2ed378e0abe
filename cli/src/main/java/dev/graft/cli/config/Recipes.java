package dev.graft.cli.config;

import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Recipe files by path or, for those that come with Graft, by name. */
public final class Recipes {
    private final List<Path> folders;

    /** Recipes in {@code recipes/} of these folders, the earlier ones first. */
    public Recipes(List<Path> folders) {
        this.folders = folders.stream().map(folder -> folder.resolve("recipes")).toList();
    }

    /** Recipes of the working directory and of the project that the launcher belongs to ({@code graft.home}). */
    public static Recipes ofProject() {
        String home = System.getProperty("graft.home", "");
        return new Recipes(home.isEmpty() ? List.of(Path.of("")) : List.of(Path.of(""), Path.of(home)));
    }

    /**
     * The file that {@code name} stands for: a path as it is, a bare name as {@code recipes/name.yaml}.
     *
     * @throws InputException if there is none, with the nearest name that there is
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
        String advice = NearestName.to(file.replaceFirst(".*/", "").replaceFirst("\\.ya?ml$", ""), names)
                .map(nearest -> "did you mean " + nearest + "?")
                .orElse(
                        names.isEmpty()
                                ? "give the path of a YAML file, or options as key=value"
                                : "recipes: " + String.join(", ", names));
        throw new InputException("no recipe " + name + "; " + advice);
    }

    /** The names of the recipes there are, in alphabetical order. */
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
