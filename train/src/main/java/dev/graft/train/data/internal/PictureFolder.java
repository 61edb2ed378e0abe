package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.formats.Sha256;
import dev.graft.train.data.PictureSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A folder with a folder of pictures for each class, or with pictures alone, which have no label then. */
final class PictureFolder implements RecordSource {
    private static final Set<String> SUFFIXES = Set.of("png", "jpg", "jpeg", "gif", "webp", "bmp");
    private static final int DEPTH = 8;

    private final Path folder;
    private final List<Path> pictures = new ArrayList<>();
    private final List<Path> others = new ArrayList<>();
    private final boolean labelled;

    private PictureFolder(Path folder) throws IOException {
        this.folder = folder;
        List<Path> classes = new ArrayList<>();
        for (Path entry : list(folder, 1)) {
            if (Files.isDirectory(entry)) {
                classes.add(entry);
            } else {
                sort(entry);
            }
        }
        labelled = !classes.isEmpty();
        if (labelled && !pictures.isEmpty()) {
            throw new FormatException(
                    folder,
                    "has pictures such as " + pictures.get(0).getFileName() + " beside folders such as "
                            + classes.get(0).getFileName() + "; expected a folder for each class, or pictures alone");
        }
        for (Path one : classes) {
            int before = pictures.size();
            list(one, DEPTH).stream().filter(Files::isRegularFile).forEach(this::sort);
            if (pictures.size() == before) {
                throw new FormatException(
                        one,
                        "has no picture: expected PNG, JPEG, GIF, WebP or BMP files of the class that it is named"
                                + " after");
            }
        }
        if (pictures.isEmpty()) {
            throw new FormatException(
                    folder,
                    "has no train file such as train.jsonl or train.csv, no folder of pictures for each class, and no"
                            + " files of MNIST or CIFAR; it has "
                            + others.stream().map(Path::getFileName).toList());
        }
    }

    private void sort(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        (SUFFIXES.contains(name.substring(name.lastIndexOf('.') + 1)) ? pictures : others).add(file);
    }

    /** Lists a folder in the order of names, without hidden files. */
    private static List<Path> list(Path folder, int depth) throws IOException {
        try (Stream<Path> entries = Files.walk(folder, depth, FileVisitOption.FOLLOW_LINKS)) {
            return entries.filter(entry -> !entry.equals(folder)
                            && !folder.relativize(entry).toString().startsWith("."))
                    .sorted()
                    .toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    static PictureFolder open(Path folder) {
        try {
            return new PictureFolder(folder);
        } catch (IOException e) {
            throw new FormatException(folder.toString(), "cannot be listed: " + e, e);
        }
    }

    @Override
    public int size() {
        return pictures.size();
    }

    @Override
    public String format() {
        return "image folder"
                + (others.isEmpty()
                        ? ""
                        : " without " + others.size() + " other files such as "
                                + others.get(0).getFileName());
    }

    @Override
    public boolean isTextOnly() {
        return false;
    }

    @Override
    public String sha256() {
        return Sha256.of(pictures.stream().map(file -> PictureSource.of(file).bytes()));
    }

    @Override
    public String place(int index) {
        return pictures.get(index).toString();
    }

    @Override
    public ObjectNode get(int index) {
        ObjectNode record = JsonNodeFactory.instance.objectNode();
        Path name = folder.relativize(pictures.get(index));
        record.put("image", name.toString());
        if (labelled) {
            record.put("label", name.getName(0).toString());
        }
        return record;
    }

    @Override
    public PictureSource picture(String name, String place) {
        return PictureSource.of(folder.resolve(name));
    }

    @Override
    public void close() {}
}
