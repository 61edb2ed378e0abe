package dev.graft.hub;

import dev.graft.formats.InputException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The source of a model, an adapter or a data set. Its text forms:
 * <ul>
 * <li>{@code file:DIR}, or the bare path of something that exists
 * <li>{@code hf:org/name} or {@code hf:org/name@revision} (branch, tag or commit; {@code main} by default)
 * <li>{@code maven:group:artifact:version}
 * <li>{@code pypi:name==version}, or {@code sdist:name==version} for its source package
 * <li>{@code npm:name@version}
 * <li>{@code apt:name=version}, a package of Debian
 * <li>a short name of the {@link Catalogue}; it takes precedence over a folder of the same name, which is {@code file:NAME}
 * </ul>
 *
 * <pre>{@code Source source = Source.parse("hf:HuggingFaceTB/SmolLM2-135M-Instruct@main");}</pre>
 *
 * {@code toString} returns the text form.
 */
public sealed interface Source {
    /** A folder or file on this machine. */
    record Local(Path path) implements Source {
        @Override
        public String toString() {
            return "file:" + path;
        }
    }

    /** A model repository of the Hugging Face hub. */
    record HuggingFace(String repository, String revision) implements Source {
        private static final Pattern REPOSITORY = Pattern.compile("(?:\\w[\\w.-]*/)?\\w[\\w.-]*", Pattern.UNICODE_CASE);
        private static final Pattern REVISION = Pattern.compile("\\w[\\w.+-]*(?:/\\w[\\w.+-]*)*");

        public HuggingFace {
            if (!REPOSITORY.matcher(repository).matches()
                    || repository.contains("..")
                    || repository.contains("--")
                    || repository.endsWith(".git")
                    || repository.length() > 96) {
                throw new InputException("hf:" + repository + ": '" + repository
                        + "' is not a repository name; expected hf:org/name[@revision] of letters, digits,"
                        + " '-', '_' and '.', without '--' or '..', not ending in .git, at most 96"
                        + " characters");
            }
            if (!REVISION.matcher(revision).matches() || revision.contains("..")) {
                throw new InputException("hf:" + repository + "@" + revision + ": '" + revision
                        + "' is not a revision; expected a branch, a tag or a commit");
            }
        }

        @Override
        public String toString() {
            return "hf:" + repository + (revision.equals("main") ? "" : "@" + revision);
        }
    }

    /** A jar of a Maven repository. */
    record Maven(String group, String artifact, String version) implements Source {
        public Maven {
            requirePlain("maven:group:artifact:version", "group", group);
            requirePlain("maven:group:artifact:version", "artifact", artifact);
            requirePlain("maven:group:artifact:version", "version", version);
        }

        @Override
        public String toString() {
            return "maven:" + group + ":" + artifact + ":" + version;
        }
    }

    /** A wheel of a Python package index. */
    record Pypi(String name, String version) implements Source {
        public Pypi {
            requirePlain("pypi:name==version", "name", name);
            requirePlain("pypi:name==version", "version", version);
        }

        @Override
        public String toString() {
            return "pypi:" + name + "==" + version;
        }
    }

    /** A source package of a Python package index. */
    record Sdist(String name, String version) implements Source {
        public Sdist {
            requirePlain("sdist:name==version", "name", name);
            requirePlain("sdist:name==version", "version", version);
        }

        @Override
        public String toString() {
            return "sdist:" + name + "==" + version;
        }
    }

    /** A package of the npm registry; its name may begin with a scope: {@code @stdlib/name}. */
    record Npm(String name, String version) implements Source {
        public Npm {
            for (String part : name.startsWith("@") ? name.substring(1).split("/", 2) : new String[] {name}) {
                requirePlain("npm:name@version", "name", part);
            }
            requirePlain("npm:name@version", "version", version);
        }

        @Override
        public String toString() {
            return "npm:" + name + "@" + version;
        }
    }

    /** A package of Debian. */
    record Apt(String name, String version) implements Source {
        public Apt {
            requirePlain("apt:name=version", "name", name);
            if (!version.matches("[A-Za-z0-9][A-Za-z0-9.+~:-]*")) {
                throw new InputException("apt:name=version: '" + version + "' cannot be the version");
            }
        }

        @Override
        public String toString() {
            return "apt:" + name + "=" + version;
        }
    }

    /**
     * Debian's package index for a release: the packages' fields, and their descriptions in English, German, French and
     * Italian.
     *
     * @param release its code name, such as {@code bookworm}
     */
    record AptIndex(String release) implements Source {
        public AptIndex {
            requirePlain("apt-index:release", "release", release);
        }

        @Override
        public String toString() {
            return "apt-index:" + release;
        }
    }

    /** Files assembled from packages, by their name in the {@link Catalogue}. */
    record Assembled(String name) implements Source {
        @Override
        public String toString() {
            return name;
        }
    }

    /**
     * Reads a source from its text form.
     *
     * @throws InputException if the text has none of these forms; the message suggests a similar catalogue name if there is one
     */
    static Source parse(String text) {
        Matcher scheme =
                Pattern.compile("([A-Za-z][A-Za-z0-9+-]+):(.*)", Pattern.DOTALL).matcher(text);
        if (!scheme.matches()) {
            return bare(text);
        }
        String rest = scheme.group(2);
        return switch (scheme.group(1)) {
            case "file" -> new Local(path(text, rest.startsWith("//") ? rest.substring(2) : rest));
            case "hf" -> huggingFace(rest);
            case "maven" -> maven(text, rest);
            case "pypi" -> {
                String[] parts = versioned(text, rest, "==", "pypi:name==version");
                yield new Pypi(parts[0], parts[1]);
            }
            case "sdist" -> {
                String[] parts = versioned(text, rest, "==", "sdist:name==version");
                yield new Sdist(parts[0], parts[1]);
            }
            case "npm" -> {
                String[] parts = versioned(text, rest, "@", "npm:name@version");
                yield new Npm(parts[0], parts[1]);
            }
            case "apt-index" -> new AptIndex(rest);
            case "apt" -> {
                String[] parts = versioned(text, rest, "=", "apt:name=version");
                yield new Apt(parts[0], parts[1]);
            }
            default ->
                throw new InputException(text + ": there is no source '" + scheme.group(1)
                        + ":'; expected file:DIR, hf:org/name[@revision], maven:group:artifact:version,"
                        + " pypi:name==version, sdist:name==version, npm:name@version, apt:name=version,"
                        + " apt-index:release or one of "
                        + String.join(", ", Catalogue.names()));
        };
    }

    private static Source bare(String text) {
        var entry = Catalogue.find(text);
        if (entry.isPresent()) {
            return entry.get().files().isEmpty() ? parse(entry.get().source()) : new Assembled(text);
        }
        Path path = path(text, text);
        if (Files.exists(path)) {
            return new Local(path);
        }
        String hint = Catalogue.nearest(text)
                .map(name -> "; did you mean '" + name + "'?")
                .orElse(text.matches("[\\w.-]+/[\\w.-]+(@.+)?") ? "; for the Hugging Face hub write hf:" + text : "");
        throw new InputException("'" + text + "' is neither a file or folder here nor a known name ("
                + String.join(", ", Catalogue.names()) + ")" + hint);
    }

    private static Source huggingFace(String rest) {
        int at = rest.indexOf('@');
        return at < 0 ? new HuggingFace(rest, "main") : new HuggingFace(rest.substring(0, at), rest.substring(at + 1));
    }

    private static Source maven(String text, String rest) {
        String[] parts = rest.split(":", -1);
        if (parts.length != 3) {
            throw new InputException(
                    text + ": expected maven:group:artifact:version, found " + parts.length + " part(s) after maven:");
        }
        return new Maven(parts[0], parts[1], parts[2]);
    }

    /** A name and a version; the name of an npm package may begin with the separator. */
    private static String[] versioned(String text, String rest, String separator, String form) {
        int at = rest.indexOf(separator, 1);
        if (at < 0) {
            throw new InputException(
                    text + ": expected " + form + "; an exact version is needed so that every run gets the same files");
        }
        return new String[] {rest.substring(0, at), rest.substring(at + separator.length())};
    }

    private static Path path(String text, String rest) {
        if (rest.isBlank()) {
            throw new InputException("'" + text + "': a path is missing; expected file:DIR");
        }
        try {
            return rest.startsWith("~/") ? Path.of(System.getProperty("user.home"), rest.substring(2)) : Path.of(rest);
        } catch (InvalidPathException e) {
            throw new InputException("'" + text + "' is not a path: " + e.getReason());
        }
    }

    private static void requirePlain(String form, String part, String value) {
        if (!value.matches("[A-Za-z0-9][A-Za-z0-9._+!-]*") || value.contains("..")) {
            throw new InputException(form + ": '" + value + "' cannot be the " + part
                    + "; expected letters, digits, '.', '-', '_', '+'");
        }
    }
}
