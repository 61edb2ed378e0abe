package dev.graft.peft;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.StagingBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The folder of an adapter that is being read.
 *
 * @param file the configuration
 * @param tiedHead a head whose values must equal the embedding's, or null
 * @param labelSpace the labels that the folder describes
 */
record AdapterFolder(
        Path file,
        AdapterConfig config,
        StoredValues values,
        @Nullable TiedHead tiedHead,
        LabelSpace labelSpace) {
    private static final String GRAFT_TENSORS = "graft.safetensors";

    /**
     * Opens a folder for the creation of its adapter, then closes it.
     *
     * @param served whether the adapter is only served
     */
    static <T> T read(Base base, Path folder, boolean served, Function<AdapterFolder, T> use) {
        Path file = folder.resolve(FolderLayout.CONFIG);
        if (!Files.exists(file)) {
            throw new InputException(folder + ": no " + FolderLayout.CONFIG + " here, so this is not an adapter");
        }
        Fields config = Fields.read(file);
        FolderLayout layout = layout(config, base);
        AdapterConfig given = withFileName(file, () -> layout.read(config, folder));
        TiedHead tiedHead = TiedHead.of(base, given);
        AdapterConfig read = tiedHead == null ? given : tiedHead.both(given);
        Path recordFile = folder.resolve(BaseIdentity.RECORD);
        Fields record = Files.exists(recordFile) ? Fields.read(recordFile) : null;
        BaseIdentity identity = record == null ? null : BaseIdentity.of(record);
        if (record != null && identity != null) {
            identity.requireSame(base, record.source() + ": the adapter");
        }
        LabelSpace labelSpace = record == null ? LabelSpace.UNKNOWN : LabelSpace.of(record);
        String headFile = layout.headFile();
        boolean withHead = headFile != null
                && Files.exists(folder.resolve(headFile))
                && base.head().output() != null;
        try (TensorSource tensors = open(folder, layout);
                @Nullable TensorSource head = withHead ? Safetensors.open(folder.resolve(headFile)) : null;
                @Nullable
                        TensorSource beside = Files.exists(folder.resolve(GRAFT_TENSORS))
                                ? Safetensors.open(folder.resolve(GRAFT_TENSORS))
                                : null;
                ReadAhead ahead = new ReadAhead(
                        head == null ? List.of(tensors) : List.of(tensors, head),
                        served ? base.numerics().base() : base.numerics().small());
                StagingBuffer staging = new StagingBuffer()) {
            StoredValues stored =
                    new StoredValues(tensors.path(), ahead.tensors(), beside, layout, read, served, staging);
            return use.apply(new AdapterFolder(file, read, stored, tiedHead, labelSpace));
        }
    }

    /** Creates the adapter from the folder's configuration and values. */
    <T> T create(BiFunction<AdapterConfig, Grafter.Values, T> creation) {
        return withFileName(file, () -> creation.apply(config, values));
    }

    /** Refuses files with tensors that the adapter doesn't use. */
    void requireWhole(AdapterContent adapter) {
        values.refuseUnread(adapter);
        if (tiedHead != null) {
            tiedHead.requireEqual(adapter, values.path);
        }
    }

    /** Names the configuration in a refusal that names no file: a setting is wrong or doesn't fit the base. */
    private static <T> T withFileName(Path file, Supplier<T> made) {
        try {
            return made.get();
        } catch (FormatException wrongFile) {
            throw wrongFile;
        } catch (InputException wrong) {
            throw new InputException(file + ": " + wrong.getMessage(), wrong);
        }
    }

    /** Three tools call their file adapter_config.json: tell them apart by what is in it. */
    private static FolderLayout layout(Fields config, Base base) {
        if (config.has("peft_type")) {
            return new PeftLayout(base);
        }
        if (config.has("config") || config.has("version")) {
            return new AdapterHubLayout(base);
        }
        if (config.has("fine_tune_type") || config.has("lora_parameters")) {
            throw new FormatException(config.source(), "is an mlx-lm adapter: convert it to PEFT's format first", null);
        }
        throw new FormatException(
                config.source(), "has no peft_type: it is neither PEFT's nor AdapterHub's configuration", null);
    }

    private static TensorSource open(Path folder, FolderLayout layout) {
        Path file = folder.resolve(layout.tensorFile());
        if (!Files.exists(file)) {
            for (String pickle : List.of("adapter_model.bin", "pytorch_adapter.bin", "adapter_model.pt")) {
                if (Files.exists(folder.resolve(pickle))) {
                    throw new InputException(folder.resolve(pickle)
                            + ": pickle files are never read, they can run code; convert it to safetensors");
                }
            }
            throw new InputException(
                    folder + ": " + FolderLayout.CONFIG + " is here but " + layout.tensorFile() + " is missing");
        }
        return Safetensors.open(file);
    }

    /**
     * Writes a folder.
     *
     * @param method the method that its configuration describes
     * @param more writes further files into it before it becomes visible
     */
    static void save(AdapterContent adapter, Method method, Path folder, Consumer<Path> more) {
        FolderLayout layout = adapter.config().method().type().layout() == Method.Layout.ADAPTER_HUB
                ? new AdapterHubLayout(adapter.base())
                : new PeftLayout(adapter.base());
        ObjectNode config = layout.write(adapter, method);
        ObjectNode record = JsonNodeFactory.instance.objectNode();
        record.put("base", adapter.base().name());
        record.put("base_fingerprint", adapter.base().fingerprint());
        List<TensorData> tensors = new ArrayList<>();
        List<TensorData> head = new ArrayList<>();
        List<TensorData> beside = new ArrayList<>();
        try (Scope scope = new Scope()) {
            adapter.savedTensors().forEach((name, value) -> {
                String key = layout.fileKey(adapter.config(), name);
                (layout.isOfHead(key) ? head : tensors).add(TensorConversion.data(key, value));
                for (String twin : layout.aliasKeys(adapter, name)) {
                    tensors.add(TensorConversion.data(twin, value));
                }
            });
            adapter.graftTensors().forEach((name, value) -> beside.add(TensorConversion.data(name, value)));
            adapter.aliases()
                    .forEach((name, value) ->
                            tensors.add(TensorConversion.data(layout.fileKey(adapter.config(), name), value)));
            if (layout.writesBaseCopies()) {
                layout.baseCopies(adapter).forEach((key, value) -> tensors.add(TensorConversion.data(key, value)));
            }
            AtomicWrite.folder(folder, temporary -> {
                Files.writeString(temporary.resolve(FolderLayout.CONFIG), Json.pretty(config));
                Safetensors.write(temporary.resolve(layout.tensorFile()), tensors, Map.of("format", "pt"));
                String headFile = layout.headFile();
                if (headFile != null && !head.isEmpty()) {
                    Safetensors.write(temporary.resolve(headFile), head, Map.of("format", "pt"));
                    for (Map.Entry<String, ObjectNode> entry :
                            layout.headConfig(adapter).entrySet()) {
                        Files.writeString(temporary.resolve(entry.getKey()), Json.pretty(entry.getValue()));
                    }
                }
                if (!beside.isEmpty()) {
                    Safetensors.write(temporary.resolve(GRAFT_TENSORS), beside, Map.of());
                }
                Files.writeString(temporary.resolve(BaseIdentity.RECORD), Json.pretty(record) + "\n");
                more.accept(temporary);
            });
        }
    }

    /** Values from files. */
    static final class StoredValues implements Grafter.Values {
        private final Path path;
        private final FolderLayout layout;
        private final AdapterConfig config;
        private final Map<String, FileTensor> keys = new LinkedHashMap<>();
        private final Set<FileTensor> read = new HashSet<>();
        private final @Nullable TensorSource beside;
        private final boolean served;
        private final StagingBuffer staging;

        StoredValues(
                Path path,
                List<FileTensor> tensors,
                @Nullable TensorSource beside,
                FolderLayout layout,
                AdapterConfig config,
                boolean served,
                StagingBuffer staging) {
            this.path = path;
            this.staging = staging;
            this.beside = beside;
            this.layout = layout;
            this.config = config;
            this.served = served;
            for (FileTensor tensor : tensors) {
                FileTensor other = keys.put(layout.canonicalKey(tensor.name()), tensor);
                if (other != null) {
                    throw tensor.wrong("means the same as " + other.name() + ": one of them must go");
                }
            }
        }

        @Override
        public Tensor get(String key, Initializer initializer, ScalarType type, long... shape) {
            String wanted = layout.fileKey(config, key);
            FileTensor stored = keys.get(wanted);
            if (stored == null) {
                throw new FormatException(
                        path,
                        "has no tensor " + wanted + " " + Arrays.toString(shape) + ", which " + FolderLayout.CONFIG
                                + " calls for" + hint(wanted));
            }
            read.add(stored);
            stored.requireShape(shape);
            if (torch.isFloatingType(type) && !stored.info().dtype().isFloat()) {
                throw stored.wrong("is stored as " + stored.info().dtype() + ", expected floating-point values");
            }
            return stored.value(type, staging);
        }

        @Override
        public Tensor regenerated(String key, Initializer initializer, ScalarType type, long... shape) {
            if (beside == null || !beside.names().contains(key)) {
                return Grafter.Values.super.regenerated(key, initializer, type, shape);
            }
            FileTensor stored = new FileTensor(beside, key, new FileTensor.RequestedType(type));
            stored.requireShape(shape);
            return stored.value(type, staging);
        }

        @Override
        public long @Nullable [] storedShape(String key) {
            FileTensor stored = keys.get(layout.fileKey(config, key));
            if (stored == null && beside != null && beside.names().contains(key)) {
                return beside.info(key).shape();
            }
            return stored == null ? null : stored.info().shape();
        }

        @Override
        public boolean areStored() {
            return true;
        }

        @Override
        public boolean areServed() {
            return served;
        }

        private String hint(String wanted) {
            if (keys.isEmpty()) {
                return "; the file has no tensors at all";
            }
            String bare = wanted.startsWith("base_model.model.") ? wanted.substring("base_model.model.".length()) : "";
            if (keys.containsKey(bare)) {
                return "; it has " + bare + ": the keys lack the prefix base_model.model.";
            }
            return "";
        }

        void refuseUnread(AdapterContent adapter) {
            if (beside != null && !beside.names().equals(adapter.graftTensors().keySet())) {
                throw new FormatException(
                        beside.path(),
                        "has the tensors " + beside.names() + ", " + FolderLayout.CONFIG + " calls for "
                                + adapter.graftTensors().keySet());
            }
            Map<String, Tensor> copies = layout.baseCopies(adapter);
            Set<String> unexpected = new TreeSet<>();
            keys.forEach((key, stored) -> {
                if (!read.contains(stored) && !isKnownCopy(key, stored, adapter, copies)) {
                    unexpected.add(stored.name());
                }
            });
            if (!unexpected.isEmpty()) {
                throw new FormatException(
                        path,
                        "has " + unexpected.size() + " tensors that " + FolderLayout.CONFIG
                                + " does not account for, such as "
                                + unexpected.iterator().next());
            }
        }

        /** Copies of the base's own tensors and of trained ones under a second name: accepted when they are equal. */
        private boolean isKnownCopy(String key, FileTensor stored, AdapterContent adapter, Map<String, Tensor> copies) {
            Tensor original = copies.get(key);
            String what = "the base's";
            if (original == null) {
                original = aliasedTensor(key, adapter);
                what = "the trained one";
            }
            if (original == null) {
                return layout.isLeftover(key, adapter);
            }
            long[] shape = stored.info().shape();
            if (!Arrays.equals(shape, Tensors.shape(original))) {
                throw stored.wrong("has shape " + Arrays.toString(shape) + ", " + what + " has "
                        + Arrays.toString(Tensors.shape(original))
                        + ": the adapter was trained on a resized or another base");
            }
            try (Scope scope = new Scope()) {
                if (!stored.value(original.scalar_type(), staging).equal(original.detach())) {
                    throw stored.wrong("differs from " + what + " weight: the adapter was trained on another base");
                }
            }
            return true;
        }

        private @Nullable Tensor aliasedTensor(String key, AdapterContent adapter) {
            for (Map.Entry<String, Tensor> alias : adapter.aliases().entrySet()) {
                if (layout.fileKey(config, alias.getKey()).equals(key)) {
                    return alias.getValue();
                }
            }
            for (Parameter parameter : adapter.parameters().values()) {
                if (layout.aliasKeys(adapter, parameter.key()).contains(key)) {
                    return parameter.value();
                }
            }
            return null;
        }
    }
}
