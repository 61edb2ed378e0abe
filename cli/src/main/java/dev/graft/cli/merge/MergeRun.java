package dev.graft.cli.merge;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.Merge;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import tools.jackson.databind.node.JsonNodeFactory;

/** One run of {@code graft merge}. */
record MergeRun(String model, List<String> adapters, HeadOptions head, ComputeOptions compute, PrintWriter err) {

    /** A written model and how it compares with the one that has its adapters beside it. */
    record Written(Path folder, String dtype, Likeness likeness) {
        String shown(boolean json) {
            if (json) {
                return Json.pretty(JsonNodeFactory.instance
                        .objectNode()
                        .put("out", folder.toString())
                        .put("dtype", dtype)
                        .put("merged_max_diff", likeness.maxDifference())
                        .put("logits_max", likeness.largest())
                        .put("greedy_agreement", likeness.agreement())
                        .put("positions", likeness.positions()));
            }
            return String.format(
                    Locale.ROOT,
                    "%s: merged in %s%n  largest difference of a logit from the adapted model: %.2g (logits up to %.3g)%n"
                            + "  same likeliest answer at %.2f %% of %d positions",
                    folder,
                    dtype,
                    likeness.maxDifference(),
                    likeness.largest(),
                    100 * likeness.agreement(),
                    likeness.positions());
        }
    }

    Written write(Path out, boolean overwrite) {
        requireFree(out, overwrite);
        Loading loaded = Loading.of(model, adapters, head, compute, err);
        requireElsewhere(out, loaded);
        Base merged = Merge.merge(loaded.base(), loaded.selection());
        Likeness likeness = Likeness.of(loaded, merged);
        merged.save(out);
        return new Written(out, Loading.dtype(merged), likeness);
    }

    private static void requireFree(Path out, boolean overwrite) {
        if (!Files.exists(out) || overwrite && Files.isDirectory(out)) {
            return;
        }
        if (!Files.isDirectory(out)) {
            throw new InputException("--out " + out + " is a file, expected a folder to make");
        }
        try (Stream<Path> inside = Files.list(out)) {
            if (inside.findAny().isPresent()) {
                throw new InputException("--out " + out
                        + " is there and not empty; name another folder, or give --overwrite to replace it");
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot list " + out + ": " + e.getMessage(), e);
        }
    }

    /** Replacing the folder that the model or an adapter is read from would lose it. */
    private void requireElsewhere(Path out, Loading loaded) {
        Stream<Path> sources = Stream.concat(
                Stream.of(loaded.files()), adapters.stream().map(Path::of).filter(Files::exists));
        Path target = out.toAbsolutePath().normalize();
        sources.map(path -> path.toAbsolutePath().normalize())
                .filter(path -> path.startsWith(target))
                .findAny()
                .ifPresent(source -> {
                    throw new InputException(
                            "--out " + out + " holds " + source + ", which is merged; name another folder");
                });
    }
}
