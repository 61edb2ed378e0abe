package dev.graft.models;

import dev.graft.formats.DType;
import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.models.audio.LogMel;
import dev.graft.models.checkpoints.Checkpoint;
import dev.graft.models.checkpoints.GgufExport;
import dev.graft.models.checkpoints.QuantizedTensors;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.matrices.Dense;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.Quantized;
import dev.graft.models.matrices.Together;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.tensor.Cpu;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A frozen pretrained model with a head. It never changes after loading, so any number of threads and adapters can use it at once.
 *
 * <pre>{@code
 * Base base = Base.load(Path.of("MiniLM"), Base.Options.of(Task.SEQ_CLS).withLabels(List.of("ham", "spam")));
 * Tensor logits = base.logits(Inputs.of(ids), Pass.inference(Hooks.NONE)); // [batch, 2]
 * }</pre>
 */
public final class Base {
    private final String name;
    private final Checkpoint checkpoint;
    private final Architecture architecture;
    private final Options options;
    private final @Nullable LayerOrder order;
    private final Weights weights;
    private final Backbone backbone;
    private final Head head;
    private final Map<String, Site> sites;
    private @Nullable Tokenizer tokenizer;
    private @Nullable String fingerprint;

    /**
     * How a base is loaded.
     *
     * @param task what head it gets; null for the one that config.json names
     * @param labels the names of a classification head's outputs; empty for those of config.json. Where config.json has another number
     *     of them, the head is a new one.
     * @param pooling how a sequence becomes one row where the checkpoint has no pooler of its own
     * @param seed for heads that the checkpoint lacks
     * @param head a head in place of the task's, or null
     * @param quantization in what the matrices of linear layers are kept; null for what the checkpoint's config.json says
     */
    public record Options(
            @Nullable Task task,
            List<String> labels,
            Head.Pooling pooling,
            Numerics numerics,
            long seed,
            @Nullable FlexibleHead head,
            @Nullable Quantization quantization) {
        /** fp32, and the head that config.json names. */
        public static final Options DEFAULT =
                new Options(null, List.of(), Head.Pooling.MEAN, Numerics.FP32, 42, null, null);

        /** fp32, with that head. */
        public static Options of(Task task) {
            return DEFAULT.withTask(task);
        }

        public Options withTask(Task newTask) {
            return new Options(newTask, labels, pooling, numerics, seed, null, quantization);
        }

        public Options withLabels(List<String> newLabels) {
            return new Options(task, List.copyOf(newLabels), pooling, numerics, seed, head, quantization);
        }

        public Options withNumerics(Numerics newNumerics) {
            return new Options(task, labels, pooling, newNumerics, seed, head, quantization);
        }

        public Options withSeed(long newSeed) {
            return new Options(task, labels, pooling, numerics, newSeed, head, quantization);
        }

        /** The head, with its task and its labels. */
        public Options withHead(FlexibleHead newHead) {
            return new Options(newHead.task(), newHead.labels(), pooling, numerics, seed, newHead, quantization);
        }

        /** In what the matrices of linear layers are kept. */
        public Options withQuantization(@Nullable Quantization newQuantization) {
            return new Options(task, labels, pooling, numerics, seed, head, newQuantization);
        }
    }

    private Base(
            String name,
            Checkpoint checkpoint,
            Architecture architecture,
            Options options,
            Map<String, Tensor> overrides,
            Map<String, Quantized> matrices,
            @Nullable LayerOrder order) {
        this.name = name;
        this.checkpoint = checkpoint;
        this.order = order;
        Fields config = order == null ? checkpoint.config() : order.of(checkpoint.config());
        this.architecture = architecture;
        DeclaredHead declared =
                DeclaredHead.of(config, architecture, checkpoint.tensors().names());
        Task task = options.task() == null ? declared.task() : options.task();
        if (options.head() == null && !architecture.tasks().contains(task)) {
            throw new InputException(name + ": " + architecture.modelType() + " has no head for " + task + ", it has "
                    + architecture.tasks());
        }
        List<String> labels = task == Task.MULTIPLE_CHOICE
                ? List.of("LABEL_0")
                : options.labels().isEmpty() ? declared.labels() : options.labels();
        FlexibleHead own = options.head();
        Quantization kept = options.quantization() != null
                ? options.quantization()
                : checkpoint.tensors() instanceof QuantizedTensors tensors && tensors.keeps()
                        ? Quantization.KEEP
                        : Quantization.NONE;
        this.options = new Options(task, labels, options.pooling(), options.numerics(), options.seed(), own, kept);
        this.weights = new Weights(
                checkpoint.tensors(), architecture.prefix(task), options.numerics(), overrides, order, kept, matrices);
        weights.orUnder(architecture.prefix());
        if (labels.size() != declared.labels().size() || task != declared.task()) {
            weights.replaceHead();
        }
        Architecture.Model model = architecture.build(
                config,
                weights,
                new Architecture.HeadSpec(
                        own == null ? task : Task.FEATURE_EXTRACTION,
                        labels.size(),
                        options.pooling(),
                        options.seed()));
        this.backbone = model.backbone();
        this.head = own == null
                ? model.head()
                : own.build(weights, backbone, config, architecture.tasks().contains(Task.CAUSAL_LM));
        Map<String, Site> byName = new LinkedHashMap<>();
        for (Site site : backbone.sites()) {
            byName.put(key(site), site);
        }
        for (Site site : head.sites()) {
            byName.put(key(site), site);
        }
        this.sites = Collections.unmodifiableMap(byName);
    }

    private static String key(Site site) {
        return site.getClass().getSimpleName() + " " + site.name();
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
     * Loads a model from where {@link dev.graft.hub.Source} says, for example {@code minilm}, {@code hf:org/name} or {@code file:DIR},
     * fetching it if it isn't on this machine.
     */
    public static Base load(String source, Options options) {
        return load(source, new Hub(), options);
    }

    /** Loads a model from a source by a hub that reports its progress. */
    public static Base load(String source, Hub hub, Options options) {
        return load(source, hub.fetch(source), options);
    }

    /** The same model under the name that people know it by, for example {@code hf:org/name}; adapters record it. */
    public static Base load(String name, Path path, Options options) {
        Base base = of(name, Checkpoint.open(path), options);
        // What was decoded or cast on the way stays in libtorch's heap else.
        Pointer.trimMemory();
        return base;
    }

    /** A model from an opened checkpoint, under the name that people know it by. */
    public static Base of(String name, Checkpoint checkpoint, Options options) {
        return of(name, checkpoint, Architecture.of(checkpoint.config()), options);
    }

    /** A model of an architecture that isn't registered. */
    public static Base of(String name, Checkpoint checkpoint, Architecture architecture, Options options) {
        return new Base(name, checkpoint, architecture, options, Map.of(), Map.of(), null);
    }

    /** A new base in which the named parameters have other values; this one stays as it is. */
    public Base with(Map<String, Tensor> parameters) {
        return with(parameters, Map.of());
    }

    /** A new base in which the named parameters have other values, quantised matrices others; this one stays as it is. */
    public Base with(Map<String, Tensor> parameters, Map<String, Quantized> matrices) {
        Map<String, Quantized> kept = new LinkedHashMap<>(quantized());
        kept.keySet().removeAll(parameters.keySet());
        kept.putAll(matrices);
        Base changed = new Base(name, checkpoint, architecture, options, overrides(parameters), kept, order);
        for (String parameter : parameters.keySet()) {
            if (!changed.parameters().containsKey(parameter)) {
                throw new IllegalArgumentException(name + " has no parameter " + parameter);
            }
        }
        return changed;
    }

    /** A new base whose layer i is this one's layer {@code layers[i]}; layers that come more than once share their tensors. */
    public Base withLayers(List<Integer> layers) {
        if (order != null) {
            throw new IllegalStateException(name + " has its layers in another order already");
        }
        LayerOrder.requireAlike(this);
        Base ordered = new Base(
                name,
                checkpoint,
                architecture,
                options,
                overrides(weights.loaded()),
                quantized(),
                new LayerOrder(layers));
        LayerOrder.requireAlike(ordered);
        return ordered;
    }

    /**
     * A smaller network of this model's family without a head, in fp32 or wider, whose parameters somebody else has. Their names are those
     * of a bare model.
     *
     * @param made gives each of them
     */
    public Backbone mirror(Mirror shape, Weights.Maker made) {
        Numerics whole = new Numerics(numerics().small());
        Backbone mirror = architecture
                .build(
                        shape.of(checkpoint.config(), backbone.size(), architecture),
                        new Weights(checkpoint.tensors(), whole, made),
                        new Architecture.HeadSpec(Task.FEATURE_EXTRACTION, 0, options.pooling(), options.seed()))
                .backbone();
        shape.require(mirror, architecture);
        return mirror;
    }

    /** A new base with the same values whose matrices are whole, but for those given. */
    public Base dequantized(Map<String, Tensor> parameters) {
        Map<String, Tensor> whole = new LinkedHashMap<>(parameters);
        for (Site site : sites()) {
            if (site instanceof Linear linear && linear.isQuantized()) {
                whole.computeIfAbsent(
                        weightName(linear),
                        parameter -> linear.stored(linear.weight()).contiguous());
            }
        }
        Options options = this.options.withQuantization(Quantization.NONE);
        return new Base(name, checkpoint, architecture, options, overrides(whole), Map.of(), order);
    }

    /** Whether layers come in another order than in the checkpoint, or more than once. */
    public boolean hasOtherLayers() {
        return order != null;
    }

    private Map<String, Tensor> overrides(Map<String, Tensor> parameters) {
        Map<String, Tensor> overrides = new LinkedHashMap<>();
        for (String fresh : weights.fresh()) {
            overrides.put(fresh, weights.loaded().get(fresh));
        }
        overrides.putAll(parameters);
        return overrides;
    }

    /** The name it was loaded under. */
    public String name() {
        return name;
    }

    public Architecture architecture() {
        return architecture;
    }

    public Backbone backbone() {
        return backbone;
    }

    public Head head() {
        return head;
    }

    /** The task of its head. */
    public Task task() {
        Task task = options.task();
        if (task == null) {
            throw new IllegalStateException("a loaded base knows its task");
        }
        return task;
    }

    /** Whether it has a decoder that attends to what an encoder made of another text. */
    public boolean isEncoderDecoder() {
        return sites().stream()
                .anyMatch(site -> site instanceof Attention attention && attention.kind() == Attention.Kind.CROSS);
    }

    /** A head that was put in place of the task's, or null. */
    public @Nullable FlexibleHead flexibleHead() {
        return options.head();
    }

    /** What the names of the backbone have before them: nothing, unless the checkpoint's architecture has a head of its own. */
    public String prefix() {
        return options.head() != null || task() == Task.FEATURE_EXTRACTION ? "" : architecture.prefix(task());
    }

    /** The names of a classification head's outputs. */
    public List<String> labels() {
        return options.labels();
    }

    public Numerics numerics() {
        return options.numerics();
    }

    /** The fields of its config.json. */
    public Fields config() {
        return checkpoint.config();
    }

    /** All places where it can be adapted, in the order of its modules. */
    public List<Site> sites() {
        return List.copyOf(sites.values());
    }

    /** The site of that kind and name, or null. */
    public <S extends Site> @Nullable S site(Class<S> kind, String siteName) {
        return kind.cast(sites.get(kind.getSimpleName() + " " + siteName));
    }

    /** The parameters by their Hugging Face names, but for quantised ones. Tied ones appear once. */
    public Map<String, Tensor> parameters() {
        return Collections.unmodifiableMap(weights.loaded());
    }

    /** The quantised matrices by their Hugging Face names. */
    public Map<String, Quantized> quantized() {
        return Collections.unmodifiableMap(weights.quantized());
    }

    /** In what the matrices of its linear layers are kept. */
    public Quantization quantization() {
        Quantization quantization = options.quantization();
        return quantization == null ? Quantization.NONE : quantization;
    }

    /** The memory that the parameters take, in bytes. */
    public long parameterBytes() {
        return parameters().values().stream().mapToLong(Tensor::nbytes).sum()
                + quantized().values().stream().mapToLong(Quantized::bytes).sum();
    }

    /**
     * Makes inference faster, above all where few rows are calculated at once, as in the writing of texts: whole matrices of linear layers are
     * copied in the order in which products read them ({@link dev.graft.tensor.Packed}), and so are the codes of those in four bits, while
     * those in eight are read where they are ({@link dev.graft.tensor.WeightOnly}); matrices of layers that are given the same input are
     * copied together. In bf16 a whole model gives the same to the last bit, others give the same but for rounding. To be called before texts
     * are read or written; parameters mustn't be changed in place afterwards.
     */
    public void pack() {
        pack(linear -> true);
    }

    /** The same for quantised matrices alone, which takes at most as much memory again as they do. */
    public void packQuantized() {
        pack(Linear::isQuantized);
    }

    /**
     * Makes training faster, on a processor where {@link dev.graft.tensor.GradientProduct#isFaster}: what goes back through large frozen linear
     * layers is calculated in 8-bit integers. That takes one byte for each value of a whole matrix; int8 ones have it already, and those of
     * fewer bits stay as they are.
     */
    public void roundGradients() {
        linears().forEach(linear -> linear.matrix().roundGradients());
    }

    /** The same for int8 matrices alone, which takes no memory. */
    public void roundQuantizedGradients() {
        linears().filter(Linear::isQuantized).forEach(linear -> linear.matrix().roundGradients());
    }

    /** Whether gradients go back through some of its layers in 8-bit integers. */
    public boolean roundsGradients() {
        return linears().anyMatch(linear -> linear.matrix().roundsGradients());
    }

    private Stream<Linear> linears() {
        return sites().stream().filter(Linear.class::isInstance).map(Linear.class::cast);
    }

    private void pack(Predicate<Linear> chosen) {
        backbone.siblings().stream()
                .filter(siblings -> siblings.stream().allMatch(chosen))
                .forEach(Together::pack);
        linears().filter(chosen).forEach(linear -> linear.matrix().pack());
    }

    /**
     * Whether what a row of a batch is given by the frozen layers depends neither on the other rows nor on their number, to the last bit: so
     * are oneDNN's products, those in bf16 and those with packed matrices; OpenBLAS's add up in an order that changes with the number of rows, and
     * those of AMX do too unless matrices are packed ({@link dev.graft.tensor.Packed}).
     */
    public boolean rowsAreSteady() {
        boolean bf16 = numerics().base().value == ScalarType.BFloat16.value && Cpu.hasBf16();
        return backbone.rowsAreSteady()
                && sites().stream()
                        .allMatch(site -> !(site instanceof Projection || site instanceof Experts)
                                || (site instanceof Linear linear
                                        && linear.matrix() instanceof Dense matrix
                                        && (matrix.isPacked() || bf16 && !Cpu.hasAmx())));
    }

    /** The name of one of its parameters, also for a transposed view of it. */
    public String nameOf(Tensor parameter) {
        for (Map.Entry<String, Tensor> entry : weights.loaded().entrySet()) {
            Tensor value = entry.getValue();
            if (value.data_ptr().equals(parameter.data_ptr()) && value.numel() == parameter.numel()) {
                return entry.getKey();
            }
        }
        throw new IllegalArgumentException("not a parameter of " + name);
    }

    /**
     * The weight of a quantised layer before it was quantised, {@code [out, in]}.
     *
     * @throws InputException if the checkpoint has it quantised only
     */
    public Tensor original(Linear layer) {
        String weight = weightName(layer);
        if (checkpoint.tensors() instanceof QuantizedTensors) {
            throw new InputException(name + " was quantised before it was written, so what " + weight
                    + " was before isn't known; take a checkpoint of the model that isn't quantised");
        }
        return weights.original(weight, layer);
    }

    /** The name of a layer's weight. */
    public String weightName(Affine layer) {
        if (layer instanceof Linear linear && linear.matrix() instanceof Quantized matrix) {
            return weights.quantized().entrySet().stream()
                    .filter(entry -> entry.getValue() == matrix)
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException(linear.name() + " isn't of " + name))
                    .getKey();
        }
        return nameOf(layer.weight());
    }

    /** Parameters that the checkpoint lacks and that were newly initialised: they must be trained. */
    public Set<String> freshParameters() {
        return Collections.unmodifiableSet(weights.fresh());
    }

    /** Tensors of the checkpoint that this task has no use for, other than {@link #carriedTensors()}. */
    public Set<String> unusedTensors() {
        Set<String> unused = weights.unused();
        unused.removeIf(architecture::carries);
        return unused;
    }

    /** Tensors of the checkpoint for parts that this model doesn't have and a saved folder keeps. */
    Set<String> carriedTensors() {
        Set<String> carried = weights.unused();
        carried.removeIf(tensor -> !architecture.carries(tensor));
        return carried;
    }

    /** How many parameters it has, tied ones counted once. */
    public long parameterCount() {
        return parameters().values().stream().mapToLong(Tensor::numel).sum()
                + quantized().values().stream()
                        .mapToLong(matrix -> matrix.rows() * matrix.columns())
                        .sum();
    }

    /**
     * Whether several texts may stand in a row: the model keeps them apart, and nothing that acts on it looks beyond a token, but for a prompt or
     * prefix that they share.
     */
    public boolean packs(Hooks hooks) {
        return backbone.packs()
                && sites().stream()
                        .allMatch(
                                site -> hooks.isLocal(site) || (backbone.sharesPrompts() && hooks.onlyPrepends(site)));
    }

    /** The hidden states of a batch. */
    public Hidden hidden(Inputs in, Pass pass) {
        pass.hooks().requireFit(backbone);
        pass.hooks().before(backbone, in, pass);
        return backbone.hidden(in, pass);
    }

    /** The answer of the head: {@code [batch, seq, out]} for token heads, {@code [batch, out]} for sequence heads. */
    public Tensor logits(Inputs in, Pass pass) {
        return logits(read(in, pass), pass);
    }

    /** The hidden states of a batch as the head reads them: the last layer may have left positions out that it doesn't. */
    public Hidden read(Inputs in, Pass pass) {
        if (head.readsFirst()) {
            pass.readFirst();
        }
        return hidden(in, pass);
    }

    /** The answer of the head for hidden states. */
    public Tensor logits(Hidden hidden, Pass pass) {
        return Ops.to(head.logits(hidden, pass), numerics().small());
    }

    /** The tokenizer that came with the checkpoint. */
    public synchronized Tokenizer tokenizer() {
        if (tokenizer == null) {
            Tokenizer read = checkpoint.readTokenizer();
            read.requireFits(backbone.vocabSize(), name);
            tokenizer = read;
        }
        return tokenizer;
    }

    /** What makes the model's inputs of pictures, as its preprocessor_config.json says. */
    public ImageProcessor imageProcessor() {
        return checkpoint.readImageProcessor();
    }

    /** The token that an encoder-decoder's answer starts with, which its configuration names. */
    public int answerStart() {
        for (Fields file : generationConfigs()) {
            Integer start = file.integerOrNull("decoder_start_token_id");
            if (start != null) {
                return start;
            }
        }
        throw config().wrong("decoder_start_token_id", "the id of the token that starts an answer");
    }

    /**
     * What a model of sounds hears of a recording.
     *
     * @throws InputException if it is none
     */
    public LogMel logMel() {
        if (backbone.bands() == 0) {
            throw new InputException(name + " is a " + architecture.modelType()
                    + ", which hears nothing; recordings need a model such as Whisper");
        }
        return checkpoint.readLogMel(backbone.bands());
    }

    /** What says how it writes: the fields of generation_config.json, where it has one, then those of config.json. */
    public List<Fields> generationConfigs() {
        return checkpoint.generationConfigs();
    }

    /** The tokens that end a text, as the checkpoint's configuration names them. */
    public Set<Integer> endTokens() {
        return checkpoint.endTokens();
    }

    /**
     * SHA-256 of the checkpoint's backbone: names, types, shapes and bytes of its tensors as they are stored. Independent of the
     * numerics and the head it was loaded with.
     */
    public synchronized String fingerprint() {
        if (fingerprint == null) {
            fingerprint = TensorDigest.of(checkpoint.tensors());
        }
        return fingerprint;
    }

    /** SHA-256 of the parameters in memory: equal before and after whatever is done with this base. */
    public String checksum() {
        return TensorDigest.of(parameters(), quantized());
    }

    /**
     * Writes a decoder of the Llama kind as a GGUF file.
     *
     * @param dtype of the matrices: F32, F16 or BF16
     * @throws InputException if it is another model, is quantised, or has something that such a file can't say
     */
    public void saveGguf(Path file, DType dtype) {
        if (order != null || task() != Task.CAUSAL_LM) {
            throw new InputException(
                    name + ": only a causal language model whose layers are its own is written as GGUF");
        }
        if (!quantized().isEmpty()) {
            throw new InputException(name + " has quantised matrices; load it whole, without --quantization");
        }
        GgufExport.write(name, checkpoint.config(), weights.stored(), checkpoint.tokenizer(), file, dtype);
    }

    /** Writes the model as a Hugging Face folder: config.json, model.safetensors and the tokenizer's files. */
    public void save(Path folder) {
        save(folder, null);
    }

    /**
     * The same, its parameters rounded to another type.
     *
     * @param dtype F32, F16 or BF16; null for that in memory
     */
    public void save(Path folder, @Nullable DType dtype) {
        if (order != null) {
            throw new InputException(name + " has layers that share tensors: a checkpoint can't say that");
        }
        new BaseFolder(this, checkpoint, weights, dtype).write(folder);
    }
}
