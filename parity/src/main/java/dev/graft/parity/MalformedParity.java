package dev.graft.parity;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Damaged and unusual variants of one adapter. A variant that the reference loads correctly must have the good adapter's outputs. A variant
 * that it rejects, loads wrongly, or loads by ignoring a part must be rejected. The message must name the file and, in the configuration,
 * the field.
 */
final class MalformedParity implements CaseGroup {
    private static final Path GOOD = Path.of("malformed", "good");

    /** Values in half precision are the good ones to within their rounding. */
    private static final Tolerance HALF = new Tolerance(5e-3, 5e-3);

    @Override
    public String name() {
        return "malformed";
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        for (Path folder : folders(tree, 1)) {
            runner.run(CaseGroup.id(folder), check -> run(tree, tree.resolve(folder), check));
        }
    }

    private static void run(Path tree, Path folder, CaseCheck check) {
        JsonNode manifest = CaseGroup.manifest(folder);
        Path good = tree.resolve(GOOD);
        Path source = source(tree, manifest.path("base").asString(), good);
        try (ReferenceBase reference =
                        ReferenceBase.load(tree.resolve(manifest.path("base").asString()));
                ReferenceTensors stored = new ReferenceTensors(source.resolve("reference.safetensors"))) {
            Tolerance rounding = rounding(folder, good);
            boolean right = manifest.path("output_equals_good_adapter").asBoolean(false)
                    && !ignoresSomething(manifest, folder, good);
            Adapter adapter;
            try {
                adapter = Adapter.load(reference.base(), folder);
            } catch (InputException refused) {
                String message = String.valueOf(refused.getMessage());
                check.that(!right && rounding == null, "the reference loads this rightly, here: " + message);
                for (String wanted : atFault(folder, good)) {
                    check.that(message.contains(wanted), "the message doesn't name " + wanted + ": " + message);
                }
                return;
            }
            check.that(
                    right || rounding != null,
                    "this is to be refused: " + manifest.path("about").asString());
            Hooks hooks = Selection.of(adapter).hooks();
            Tolerance tolerance = Tolerance.read(CaseGroup.manifest(source).path("tolerance"));
            reference
                    .outputs(reference.base(), reference.inputs(), hooks)
                    .compare(check, "", stored, rounding == null ? tolerance : rounding);
        }
    }

    /** The case that the variants were made of: it has the reference outputs. */
    private static Path source(Path tree, String base, Path good) {
        for (Path folder : new AdaptersParity().folders(tree, 2)) {
            Path candidate = tree.resolve(folder);
            if (CaseGroup.manifest(candidate).path("base").asString().equals(base)
                    && Arrays.equals(bytes(candidate, AdapterFiles.TENSORS), bytes(good, AdapterFiles.TENSORS))
                    && Arrays.equals(bytes(candidate, AdapterFiles.CONFIG), bytes(good, AdapterFiles.CONFIG))) {
                return candidate;
            }
        }
        throw new NotCoveredException("no adapter of the tree equals " + good + ", so there are no outputs to compare");
    }

    /** Returns whether the reference warns that it ignored something, or silently ignored an extra tensor. */
    private static boolean ignoresSomething(JsonNode manifest, Path folder, Path good) {
        return !manifest.path("peft_warnings").isEmpty() || tensors(folder) > tensors(good);
    }

    private static int tensors(Path folder) {
        try (TensorSource source = Safetensors.open(folder.resolve(AdapterFiles.TENSORS))) {
            return source.names().size();
        }
    }

    /** The tolerance of half precision if the tensors are the good ones in that type, else null. */
    private static @Nullable Tolerance rounding(Path folder, Path good) {
        if (!Arrays.equals(bytes(folder, AdapterFiles.CONFIG), bytes(good, AdapterFiles.CONFIG))) {
            return null;
        }
        try (TensorSource source = Safetensors.open(folder.resolve(AdapterFiles.TENSORS));
                TensorSource right = Safetensors.open(good.resolve(AdapterFiles.TENSORS))) {
            if (!source.names().equals(right.names())) {
                return null;
            }
            boolean narrower = false;
            for (String name : source.names()) {
                if (!source.info(name).dtype().isFloat()
                        || !Arrays.equals(
                                source.info(name).shape(), right.info(name).shape())) {
                    return null;
                }
                narrower |= source.info(name).bytes() < right.info(name).bytes();
                float[] got = source.tensor(name).floats();
                float[] expected = right.tensor(name).floats();
                for (int i = 0; i < got.length; i++) {
                    if (!(Math.abs(got[i] - expected[i]) <= 1e-2 * Math.abs(expected[i]) + 1e-6)) {
                        return null;
                    }
                }
            }
            return narrower ? HALF : null;
        } catch (InputException broken) {
            return null;
        }
    }

    /** Returns the names that a message must contain: files that differ from the good ones, and the changed part of the configuration. */
    private static List<String> atFault(Path folder, Path good) {
        List<String> names = new ArrayList<>();
        for (String file : List.of(AdapterFiles.CONFIG, AdapterFiles.TENSORS)) {
            if (!Arrays.equals(bytes(folder, file), bytes(good, file))) {
                names.add(file);
            }
        }
        if (names.equals(List.of(AdapterFiles.CONFIG)) && Files.exists(folder.resolve(AdapterFiles.CONFIG))) {
            names.addAll(changedField(folder.resolve(AdapterFiles.CONFIG), good.resolve(AdapterFiles.CONFIG)));
        }
        return names;
    }

    /** The one field that differs; what it chooses is named instead where that is a set of modules. */
    private static List<String> changedField(Path file, Path good) {
        try {
            JsonNode config = Json.read(file);
            JsonNode right = Json.read(good);
            TreeSet<String> changed = new TreeSet<>(config.propertyNames());
            changed.addAll(right.propertyNames());
            changed.removeIf(name -> config.path(name).equals(right.path(name)));
            changed.remove("target_modules");
            return changed.size() == 1 && !changed.first().equals("r") ? List.copyOf(changed) : List.of();
        } catch (InputException broken) {
            return List.of();
        }
    }

    private static byte[] bytes(Path folder, String file) {
        try {
            Path path = folder.resolve(file);
            return Files.exists(path) ? Files.readAllBytes(path) : new byte[0];
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + folder.resolve(file), e);
        }
    }
}
