package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.formats.Sha256;
import dev.graft.train.data.PictureSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.function.BiConsumer;
import tools.jackson.databind.node.ObjectNode;

/** A data set in several files of one format, one after another. */
public final class Shards implements RecordSource {
    private final List<RecordSource> files;
    private final List<Integer> starts = new ArrayList<>(List.of(0));

    private Shards(List<RecordSource> files) {
        this.files = files;
    }

    /** Opens files in their order, whatever their format. */
    public static RecordSource open(List<Path> paths, BiConsumer<RecordSource, ObjectNode> visitor) {
        if (paths.size() == 1) {
            return openOne(paths.get(0), visitor);
        }
        Shards shards = new Shards(new ArrayList<>());
        boolean complete = false;
        try {
            for (Path path : paths) {
                shards.add(path, visitor);
            }
            complete = true;
            return shards;
        } finally {
            if (!complete) {
                shards.close();
            }
        }
    }

    /**
     * Opens what is at a path, whatever its format.
     *
     * @param visitor sees every record with its number, in order
     * @throws dev.graft.formats.InputException naming the line or the file that breaks the format
     */
    private static RecordSource openOne(Path path, BiConsumer<RecordSource, ObjectNode> visitor) {
        boolean packed = PictureArchives.isIn(path);
        if (!packed && !Files.isDirectory(path)) {
            return RecordFile.open(path, visitor);
        }
        RecordSource records = packed ? PictureArchives.open(path) : PictureFolder.open(path);
        for (int i = 0; i < records.size(); i++) {
            visitor.accept(records, records.get(i));
        }
        return records;
    }

    private void add(Path path, BiConsumer<RecordSource, ObjectNode> visitor) {
        Shards[] view = {null};
        RecordSource file = openOne(path, (opening, row) -> {
            if (view[0] == null) {
                view[0] = with(opening);
            }
            visitor.accept(view[0], row);
        });
        if (!files.isEmpty() && !files.get(0).format().equals(file.format())) {
            file.close();
            throw new FormatException(
                    path,
                    "is " + file.format() + ", the files before it are "
                            + files.get(0).format());
        }
        files.add(file);
        starts.add(Math.addExact(size(), file.size()));
    }

    /** These files and one that is still being read, in which the visitor may ask for places. */
    private Shards with(RecordSource opening) {
        Shards view = new Shards(new ArrayList<>(files));
        view.files.add(opening);
        view.starts.clear();
        view.starts.addAll(starts);
        return view;
    }

    private int file(int index) {
        int found = Collections.binarySearch(starts, index);
        int file = found < 0 ? -found - 2 : found;
        // An empty file begins where the next one does.
        while (file + 1 < files.size() && starts.get(file + 1) == index) {
            file++;
        }
        return Math.min(file, files.size() - 1);
    }

    @Override
    public int size() {
        return starts.get(starts.size() - 1);
    }

    @Override
    public String format() {
        return files.get(0).format() + " in " + files.size() + " files";
    }

    @Override
    public boolean isTextOnly() {
        return files.get(0).isTextOnly();
    }

    @Override
    public String sha256() {
        return Sha256.of(files.stream().map(file -> HexFormat.of().parseHex(file.sha256())));
    }

    @Override
    public String place(int index) {
        int file = file(index);
        return files.get(file).place(index - starts.get(file));
    }

    @Override
    public ObjectNode get(int index) {
        int file = file(index);
        return files.get(file).get(index - starts.get(file));
    }

    @Override
    public PictureSource picture(String name, String place) {
        return files.get(0).picture(name, place);
    }

    @Override
    public Path sound(String name, String place) {
        return files.get(0).sound(name, place);
    }

    @Override
    public void close() {
        files.forEach(RecordSource::close);
    }
}
