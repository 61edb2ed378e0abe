package dev.graft.models;

import dev.graft.formats.DType;
import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.models.audio.LogMel;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.models.checkpoints.PretrainedCheckpoints;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.heads.SentencePooling;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.weights.LayerOrder;
import dev.graft.models.weights.TensorDigest;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A frozen pretrained model with a head. It never changes after loading, so any number of threads and adapters can use it at once.
 *
 * <pre>{@code
 * Base base = Base.load(Path.of("MiniLM"), Base.Options.of(Task.SEQ_CLS).withLabels(List.of("ham", "spam")));
 * Tensor logits = base.logits(Inputs.of(ids), ForwardPass.inference(Hooks.NONE)); // [batch, 2]
 * }</pre>
 */
public final class Base {
    private final BaseLoader loader;
    private final Options options;
    private final ModelParts model;
    private @Nullable Tokenizer tokenizer;
    private @Nullable String fingerprint;

    /**
     * The options for loading a base.
     *
     * @param task the task of its head; null for the one that config.json names
     * @param labels the names of a classification head's outputs; empty for those of config.json. If their number differs, the head is new.
     * @param pooling the reduction of a sequence to one row if the checkpoint has no pooler of its own
     * @param seed the random seed of heads that the checkpoint lacks
     * @param head a head in place of the task's, or null
     * @param quantization the storage format of the matrices of linear layers; null for that of the checkpoint's config.json
     */
    @RecordBuilder
    public record Options(
            @Nullable Task task,
            List<String> labels,
            Head.Pooling pooling,
            Numerics numerics,
            long seed,
            @Nullable FlexibleHead head,
            @Nullable Quantization quantization)
            implements BaseOptionsBuilder.With {
        /** fp32, and the head that config.json names. */
        public static final Options DEFAULT =
                new Options(null, List.of(), Head.Pooling.MEAN, Numerics.FP32, 42, null, null);

        /** fp32, with that head. */
        public static Options of(Task task) {
            return DEFAULT.withTask(task);
        }

        public Options {
            labels = List.copyOf(labels);
        }

        /** Returns a copy with the architecture's own head for a task. */
        @Override
        public Options withTask(@Nullable Task newTask) {
            return with().task(newTask).head(null).build();
        }

        /** Returns a copy with a head, its task and its labels. */
        @Override
        public Options withHead(FlexibleHead newHead) {
            return with().task(newHead.task())
                    .labels(newHead.labels())
                    .head(newHead)
                    .build();
        }
    }

    private Base(
            BaseLoader loader, Options options, Map<String, Tensor> overrides, Map<String, QuantizedMatrix> matrices) {
        this.loader = loader;
        FlexibleHead own = options.head();
        TaskHead head = loader.head(options.task(), options.labels(), own);
        Quantization kept = loader.quantization(options.quantization());
        this.options = options.with()
                .task(head.task())
                .labels(head.labels())
                .quantization(kept)
                .build();
        Weights weights = loader.weights(head, options.numerics(), kept, overrides, matrices);
        this.model = loader.build(weights, head, own, options.pooling(), options.seed());
    }

    /** Loads a model from a folder or file, in fp32, with the head that its config.json names. */
    public static Base load(Path path) {
        return load(path, Options.DEFAULT);
    }

    /** Loads a model from a Hugging Face folder, a GGUF file or an ONNX file. */
    public static Base load(Path path, Options options) {
        return load(path.toString(), path, options);
    }

    /**
     * Loads a model from a {@link dev.graft.hub.Source}, for example {@code minilm}, {@code hf:org/name} or {@code file:DIR}, and fetches it if
     * necessary.
     *
     * @throws InputException if the source does not exist or holds no supported model
     */
    public static Base load(String source, Options options) {
        return load(source, new Hub(), options);
    }

    /** Loads a model from a source through a hub that reports its progress. */
    public static Base load(String source, Hub hub, Options options) {
        return load(source, hub.fetch(source), options);
    }

    /** Loads a model under its public name, for example {@code hf:org/name}; adapters record that name. */
    public static Base load(String name, Path path, Options options) {
        Base base = of(name, PretrainedCheckpoints.open(path), options);
        // What was decoded or cast on the way stays in libtorch's heap else.
        Pointer.trimMemory();
        return base;
    }

    /** Creates a model from an opened checkpoint, under its public name. */
    public static Base of(String name, PretrainedCheckpoint checkpoint, Options options) {
        return of(name, checkpoint, Architecture.of(checkpoint.config()), options);
    }

    /** Creates a model of an architecture that isn't registered. */
    public static Base of(String name, PretrainedCheckpoint checkpoint, Architecture architecture, Options options) {
        return new Base(new BaseLoader(name, checkpoint, architecture, null), options, Map.of(), Map.of());
    }

    /** Returns a new base with other values of the named parameters; this one is unchanged. */
    public Base withParameters(Map<String, Tensor> parameters) {
        return withParameters(parameters, Map.of());
    }

    /** Returns a new base with other values of the named parameters and quantised matrices; this one is unchanged. */
    public Base withParameters(Map<String, Tensor> parameters, Map<String, QuantizedMatrix> matrices) {
        Map<String, QuantizedMatrix> kept = new LinkedHashMap<>(quantized());
        kept.keySet().removeAll(parameters.keySet());
        kept.putAll(matrices);
        Base changed = new Base(loader, options, model.withNewParameters(parameters), kept);
        for (String parameter : parameters.keySet()) {
            if (!changed.parameters().containsKey(parameter)) {
                throw new IllegalArgumentException(name() + " has no parameter " + parameter);
            }
        }
        return changed;
    }

    /** Returns a new base whose layer i is this one's layer {@code layers[i]}; repeated layers share their tensors. */
    public Base withLayers(List<Integer> layers) {
        LayerOrder.requireAlike(name(), backbone().hasMixedLayers());
        Base ordered = new Base(
                loader.reordered(layers), options, model.withNewParameters(model.weights.loaded()), quantized());
        LayerOrder.requireAlike(name(), ordered.backbone().hasMixedLayers());
        return ordered;
    }

    /** Returns a new base with the same values and no quantised matrices; the parameters replace decoded ones. */
    public Base dequantized(Map<String, Tensor> parameters) {
        Map<String, Tensor> whole = model.withNewParameters(model.dequantized(parameters));
        return new Base(loader, options.withQuantization(Quantization.NONE), whole, Map.of());
    }

    /** Returns whether layers run in another order than in the checkpoint, or more than once. */
    public boolean hasReorderedLayers() {
        return loader.order() != null;
    }

    /** The name it was loaded under. */
    public String name() {
        return model.name;
    }

    public Architecture architecture() {
        return model.architecture;
    }

    public Backbone backbone() {
        return model.backbone;
    }

    public Head head() {
        return model.head;
    }

    /** The task of its head. */
    public Task task() {
        return model.task;
    }

    /** Returns whether it has a decoder that attends to an encoder's output for another text. */
    public boolean isEncoderDecoder() {
        return sites().stream()
                .anyMatch(site -> site instanceof Attention attention && attention.kind() == Attention.Kind.CROSS);
    }

    /** The head in place of the task's, or null. */
    public @Nullable FlexibleHead flexibleHead() {
        return options.head();
    }

    /** The prefix of the backbone's names. It is empty unless the checkpoint's architecture has a head of its own. */
    public String prefix() {
        return options.head() != null || task() == Task.FEATURE_EXTRACTION ? "" : model.architecture.prefix(task());
    }

    /** The names of a classification head's outputs. */
    public List<String> labels() {
        return model.labels;
    }

    public Numerics numerics() {
        return options.numerics();
    }

    Options options() {
        return options;
    }

    PretrainedCheckpoint checkpoint() {
        return model.checkpoint;
    }

    /** The fields of its config.json. */
    public Fields config() {
        return model.checkpoint.config();
    }

    /** All places where it can be adapted, in the order of its modules. */
    public List<Site> sites() {
        return model.sites();
    }

    /** Returns the site of that kind and name, or null. */
    public <S extends Site> @Nullable S site(Class<S> kind, String siteName) {
        return model.site(kind, siteName);
    }

    /** The parameters by their Hugging Face names, without quantised ones; tied ones occur once. */
    public Map<String, Tensor> parameters() {
        return model.parameters();
    }

    /** The quantised matrices by their Hugging Face names. */
    public Map<String, QuantizedMatrix> quantized() {
        return model.quantized();
    }

    /** The storage format of its linear layers' matrices. */
    public Quantization quantization() {
        Quantization quantization = options.quantization();
        return quantization == null ? Quantization.NONE : quantization;
    }

    /** The memory that the parameters take, in bytes. */
    public long parameterBytes() {
        return model.parameterBytes();
    }

    /**
     * Speeds up inference, above all where few rows are computed at once, as in generation. Whole matrices of linear
     * layers are copied in the order in which products read them ({@link dev.graft.tensor.ops.PackedWeight}). Four-bit
     * codes are copied too; eight-bit codes are read in place ({@link dev.graft.tensor.ops.WeightOnlyKernel}). Matrices of
     * layers with a common input are copied together. In bf16 the results of a whole model are equal to the last bit;
     * those of others are equal but for rounding. Call it before texts are read or written; parameters mustn't be
     * changed in place afterwards.
     */
    public void pack() {
        BasePacking.pack(model.backbone, sites(), linear -> true);
    }

    /** Packs only quantised matrices, which needs at most as much additional memory as they take. */
    public void packQuantized() {
        BasePacking.pack(model.backbone, sites(), Linear::isQuantized);
    }

    /**
     * Speeds up training, on a processor where {@link dev.graft.tensor.ops.Int8GradientProduct#isFaster}. Gradients through
     * large frozen linear layers are computed in 8-bit integers. That needs one byte for each value of a whole matrix.
     * Int8 matrices have these bytes already; those of fewer bits stay unchanged.
     */
    public void useInt8Gradients() {
        BasePacking.linears(sites()).forEach(linear -> linear.matrix().useInt8Gradients());
    }

    /** Computes gradients through int8 matrices in 8-bit integers, without additional memory. */
    public void useInt8GradientsWhereQuantized() {
        BasePacking.linears(sites())
                .filter(Linear::isQuantized)
                .forEach(linear -> linear.matrix().useInt8Gradients());
    }

    /** Returns whether gradients through some of its layers are computed in 8-bit integers. */
    public boolean usesInt8Gradients() {
        return BasePacking.linears(sites()).anyMatch(linear -> linear.matrix().usesInt8Gradients());
    }

    /**
     * Returns whether the frozen layers' result for a row depends neither on the other rows nor on their number, to the
     * last bit. That holds for oneDNN's products, those in bf16 and those with packed matrices. The summation order of
     * OpenBLAS changes with the number of rows. So does that of AMX products unless matrices are packed
     * ({@link dev.graft.tensor.ops.PackedWeight}).
     */
    public boolean isBatchInvariant() {
        return model.backbone.isBatchInvariant() && BasePacking.isBatchInvariant(sites(), numerics());
    }

    /** Returns the name of one of its parameters, also for a transposed view of it. */
    public String nameOf(Tensor parameter) {
        return model.nameOf(parameter);
    }

    /**
     * The weight of a quantised layer before it was quantised, {@code [out, in]}.
     *
     * @throws InputException if the checkpoint has it quantised only
     */
    public Tensor originalWeight(Linear layer) {
        return model.originalWeight(layer);
    }

    /** The name of a layer's weight. */
    public String weightName(Affine layer) {
        return model.weightName(layer);
    }

    /** Newly initialised parameters, which the checkpoint lacks: they must be trained. */
    public Set<String> newParameters() {
        return Collections.unmodifiableSet(model.weights.newlyInitialized());
    }

    /** Tensors of the checkpoint that neither this task nor a saved folder uses. */
    public Set<String> unusedTensors() {
        return model.unusedTensors();
    }

    /** The number of parameters; tied ones count once. */
    public long parameterCount() {
        return model.parameterCount();
    }

    /**
     * Returns whether one row may contain several texts with these hooks. The model must keep the texts apart, and no hook may look beyond a
     * token, except for a shared prompt or prefix.
     */
    public boolean supportsPacking(Hooks hooks) {
        return model.backbone.supportsPacking()
                && sites().stream()
                        .allMatch(site ->
                                hooks.isLocal(site) || (model.backbone.sharesPrompts() && hooks.onlyPrepends(site)));
    }

    /** Returns the hidden states of a batch, {@code [batch, seq, hidden]}. */
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        if (pass.hooks() instanceof ModelHooks hooks) {
            hooks.requireFit(model.backbone);
            hooks.beforePass(model.backbone, in, pass);
        }
        return model.backbone.forward(in, pass);
    }

    /**
     * Returns the head's output: {@code [batch, seq, out]} for token heads, {@code [batch, out]} for sequence heads.
     */
    public Tensor logits(Inputs in, ForwardPass pass) {
        return logits(hiddenForHead(in, pass), pass);
    }

    /** Returns the hidden states of a batch for the head; the last layer may omit positions that it doesn't read. */
    public HiddenStates hiddenForHead(Inputs in, ForwardPass pass) {
        if (model.head.readsFirstOnly()) {
            pass.setReadsFirstOnly();
        }
        return forward(in, pass);
    }

    /** Returns the output of the head for hidden states. */
    public Tensor logits(HiddenStates hidden, ForwardPass pass) {
        return Ops.to(model.head.logits(hidden, pass), numerics().small());
    }

    /** The tokenizer that came with the checkpoint. */
    public synchronized Tokenizer tokenizer() {
        if (tokenizer == null) {
            Tokenizer read = model.checkpoint.readTokenizer();
            read.requireFits(model.backbone.vocabSize(), model.name);
            tokenizer = read;
        }
        return tokenizer;
    }

    /** The processor of pictures for the model, as its preprocessor_config.json describes it. */
    public ImageProcessor imageProcessor() {
        return model.checkpoint.readImageProcessor();
    }

    /** The reduction of hidden states to one vector for a text, as its modules.json describes it. */
    public SentencePooling sentencePooling() {
        return model.checkpoint.readSentencePooling();
    }

    /** The first token of an encoder-decoder's answer, from its configuration. */
    public int decoderStartToken() {
        return model.checkpoint.decoderStartToken();
    }

    /**
     * The log-mel features that an audio model reads of a recording.
     *
     * @throws InputException if it is no audio model
     */
    public LogMel logMel() {
        return model.readLogMel();
    }

    /**
     * The fields that configure generation: those of generation_config.json, where it has one, then those of
     * config.json.
     */
    public List<Fields> generationConfigs() {
        return model.checkpoint.generationConfigs();
    }

    /** The tokens that end a text, from the checkpoint's configuration. */
    public Set<Integer> endTokens() {
        return model.checkpoint.endTokens();
    }

    /**
     * SHA-256 of the checkpoint's backbone: names, types, shapes and bytes of its stored tensors. It doesn't depend on the numerics or the head.
     */
    public synchronized String fingerprint() {
        if (fingerprint == null) {
            fingerprint = TensorDigest.of(model.checkpoint.tensors());
        }
        return fingerprint;
    }

    /** SHA-256 of the parameters in memory, which proves that nothing has changed this base. */
    public String checksum() {
        return TensorDigest.of(parameters(), quantized());
    }

    /**
     * Writes a decoder of the Llama kind as a GGUF file.
     *
     * @param dtype of the matrices: F32, F16 or BF16
     * @throws InputException if it is another model, is quantised, or has a feature that the format doesn't support
     */
    public void saveGguf(Path file, DType dtype) {
        new BaseExport(model, hasReorderedLayers()).writeGguf(file, dtype);
    }

    /** Writes the model as a Hugging Face folder: config.json, model.safetensors and the tokenizer's files. */
    public void save(Path folder) {
        save(folder, null);
    }

    /**
     * Writes the model with its parameters rounded to another type.
     *
     * @param dtype F32, F16 or BF16; null for the type in memory
     */
    public void save(Path folder, @Nullable DType dtype) {
        new BaseExport(model, hasReorderedLayers()).writeFolder(folder, dtype);
    }
}
