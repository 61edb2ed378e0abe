package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Task;
import dev.graft.models.Weights;
import java.util.Set;

/** A descendant of Llama: a {@link Decoder} in the shape that its config.json says. */
abstract class DecoderFamily implements Architecture {
    private final String modelType;
    private final String stem;

    DecoderFamily(String modelType, String stem) {
        this.modelType = modelType;
        this.stem = stem;
    }

    /** Reads its fields, with the defaults of the family. */
    abstract Decoder.Config config(Fields f);

    /** Whether the head's weight is that of the embeddings where config.json doesn't say. */
    boolean tied() {
        return false;
    }

    @Override
    public String modelType() {
        return modelType;
    }

    @Override
    public String stem() {
        return stem;
    }

    @Override
    public String prefix() {
        return "model.";
    }

    /** Whether the class of transformers for answers has the backbone under another name than the others. */
    boolean answersAsTransformer() {
        return false;
    }

    @Override
    public String prefix(Task task) {
        return task == Task.QUESTION_ANS && answersAsTransformer() ? "transformer." : prefix();
    }

    @Override
    public Set<Task> tasks() {
        return CausalHeads.TASKS;
    }

    @Override
    public Model build(Fields f, Weights weights, HeadSpec spec) {
        Decoder decoder =
                new Decoder(config(f), weights, spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix(spec.task()));
        boolean tied = f.bool("tie_word_embeddings", tied());
        return new Model(
                decoder, CausalHeads.of(weights, spec, decoder.tokens(), tied, "score", CausalHeads.dropout(f)));
    }
}
