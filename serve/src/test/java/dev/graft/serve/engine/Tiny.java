package dev.graft.serve.engine;

import dev.graft.models.Base;
import dev.graft.models.matrices.Quantization;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.mixture.XLora;
import dev.graft.serve.ServedModel;
import dev.graft.tensor.Numerics;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Bases of the fixtures' size with adapters. */
final class Tiny {
    static final Path FIXTURES = Path.of("../parity/fixtures");

    /** Its layers are others than the base's own; its prompts need a token of their own; it has a task to choose. */
    private static final List<String> ON_OTHER_BASES =
            List.of("lora-replication", "p-tuning", "p-tuning-lstm", "multitask-prompt-tuning", "poly");

    private Tiny() {}

    /** PEFT's Lily, whose router reads a whole batch: no server takes it. */
    static final String MIXES_ROWS = "lily-stride";

    static Base base(String name, Numerics numerics) {
        return base(name, numerics, Quantization.NONE);
    }

    static Base base(String name, Numerics numerics, Quantization quantization) {
        return Base.load(
                FIXTURES.resolve("bases").resolve(name),
                Base.Options.DEFAULT.withNumerics(numerics).withQuantization(quantization));
    }

    static ServedModel served(Base base, String family, String adapter, long revision) {
        Path folder = FIXTURES.resolve("adapters").resolve(family).resolve(adapter);
        return new ServedModel(adapter, revision, Selection.of(Adapter.load(base, folder)));
    }

    /** Adapters that choose among others for each token: by a classifier that reads the text first, and by what they see. */
    static List<ServedModel> routers(Base base) {
        Path composed = FIXTURES.resolve("composition/llama-gqa");
        Adapter mixture = Adapter.create(
                base,
                XLora.of(List.of(
                        Adapter.load(base, composed.resolve("xlora/0")),
                        Adapter.load(base, composed.resolve("xlora/1")))),
                5);
        Adapter arrow = Adapter.load(base, composed.resolve("arrow/arrow_router"));
        return List.of(
                new ServedModel("xlora", 1001, Selection.of(mixture)),
                new ServedModel("arrow", 1002, Selection.of(arrow)));
    }

    /** A mixture of two adapters of a classifier, whose pooler one of them changes too. */
    static ServedModel mixture(Base base, String family) {
        Path adapters = FIXTURES.resolve("adapters").resolve(family);
        List<Adapter> experts = List.of(
                Adapter.load(base, adapters.resolve("lora-all-linear")), Adapter.load(base, adapters.resolve("lora")));
        return new ServedModel("xlora", 1003, Selection.of(Adapter.create(base, XLora.of(experts), 5)));
    }

    /** The names of the fixtures' adapters that act on the family's base as it stands. */
    static List<String> adapters(String family) {
        try (Stream<Path> folders = Files.list(FIXTURES.resolve("adapters").resolve(family))) {
            return folders.map(folder -> folder.getFileName().toString())
                    .filter(name -> !ON_OTHER_BASES.contains(name) && !name.equals(MIXES_ROWS))
                    .sorted()
                    .toList();
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }
}
