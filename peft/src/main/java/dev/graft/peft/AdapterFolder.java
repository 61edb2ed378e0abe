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
import dev.graft.models.StoredTensors;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Staging;
import dev.graft.tensor.Tensors;
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
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Adapter folders: which layout one has, what is read and written, and what is refused. */
final class AdapterFolder {
    static final String CONFIG = "adapter_config.json";
    static final String RECORD = "graft.json";
    static final String BESIDE = "graft.safetensors";

    private AdapterFolder() {}

    static Adapter load(Base base, Path folder, boolean served) {
        Path file = folder.resolve(CONFIG);
        if (!Files.exists(file)) {
            throw new InputException(folder + ": no " + CONFIG + " here, so this is not an adapter");
        }
        Fields config = Fields.read(file);
        FolderLayout layout = layout(config, base);
        AdapterConfig given = naming(file, () -> layout.read(config, folder));
        TiedHead tied = TiedHead.of(base, given);
        AdapterConfig read = tied == null ? given : tied.both(given);
        Fields record = Files.exists(folder.resolve(RECORD)) ? Fields.read(folder.resolve(RECORD)) : null;
        TrainedOn trained = record == null ? null : TrainedOn.of(record);
        if (record != null && trained != null) {
            trained.require(base, record.source() + ": the adapter");
        }
        String headFile = layout.headFile();
        boolean withHead = headFile != null
                && Files.exists(folder.resolve(headFile))
                && base.head().output() != null;
        try (TensorSource tensors = open(folder, layout);
                @Nullable TensorSource head = withHead ? Safetensors.open(folder.resolve(headFile)) : null;
                @Nullable
                        TensorSource beside =
                                Files.exists(folder.resolve(BESIDE)) ? Safetensors.open(folder.resolve(BESIDE)) : null;
                ReadAhead ahead = new ReadAhead(
                        head == null ? List.of(tensors) : List.of(tensors, head),
                        served ? base.numerics().base() : base.numerics().small());
                Staging staging = new Staging()) {
            Stored stored = new Stored(tensors.path(), ahead.tensors(), beside, layout, read, served, staging);
            Adapter adapter = naming(file, () -> new Adapter(read.method().on(base), read, stored));
            try {
                stored.refuseUnread(adapter);
                if (tied != null) {
                    tied.requireEqual(adapter, tensors.path());
                }
            } catch (InputException refused) {
                adapter.close();
                throw refused;
            }
            return record == null ? adapter : adapter.answering(Answers.of(record));
        }
    }

    /** What is wrong with a setting, or doesn't fit the base, is the configuration's fault, where a message names no file. */
    private static <T> T naming(Path file, Supplier<T> made) {
        try {
            return made.get();
        } catch (FormatException wrongFile) {
            throw wrongFile;
        } catch (InputException wrong) {
            if (String.valueOf(wrong.getMessage()).startsWith(file.toString())) {
                throw wrong;
            }
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
            throw new InputException(folder + ": " + CONFIG + " is here but " + layout.tensorFile() + " is missing");
        }
        return Safetensors.open(file);
    }

    static void save(Adapter adapter, Path folder, Consumer<Path> more) {
        FolderLayout layout = adapter.method().type().layout() == Method.Layout.ADAPTER_HUB
                ? new AdapterHubLayout(adapter.base())
                : new PeftLayout(adapter.base());
        ObjectNode config = layout.write(adapter);
        ObjectNode record = JsonNodeFactory.instance.objectNode();
        record.put("base", adapter.base().name());
        record.put("base_fingerprint", adapter.base().fingerprint());
        List<TensorData> tensors = new ArrayList<>();
        List<TensorData> head = new ArrayList<>();
        List<TensorData> beside = new ArrayList<>();
        try (Scope scope = new Scope()) {
            adapter.saved().forEach((name, value) -> {
                String key = layout.toFile(adapter.config(), name);
                (layout.isOfHead(key) ? head : tensors).add(StoredTensors.data(key, value));
                for (String twin : layout.twins(adapter, name)) {
                    tensors.add(StoredTensors.data(twin, value));
                }
            });
            adapter.beside().forEach((name, value) -> beside.add(StoredTensors.data(name, value)));
            adapter.aliases()
                    .forEach((name, value) ->
                            tensors.add(StoredTensors.data(layout.toFile(adapter.config(), name), value)));
            if (layout.writesBaseCopies()) {
                layout.baseCopies(adapter).forEach((key, value) -> tensors.add(StoredTensors.data(key, value)));
            }
            AtomicWrite.folder(folder, temporary -> {
                Files.writeString(temporary.resolve(CONFIG), Json.pretty(config));
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
                    Safetensors.write(temporary.resolve(BESIDE), beside, Map.of());
                }
                adapter.method()
                        .saved(adapter)
                        .held(adapter)
                        .forEach((name, held) -> held.save(temporary.resolve(name)));
                Files.writeString(temporary.resolve(RECORD), Json.pretty(record) + "\n");
                more.accept(temporary);
            });
        }
    }

    /** Values from files. */
    private static final class Stored implements Grafter.Values {
        private final Path path;
        private final FolderLayout layout;
        private final AdapterConfig config;
        private final Map<String, FileTensor> keys = new LinkedHashMap<>();
        private final Set<FileTensor> read = new HashSet<>();
        private final @Nullable TensorSource beside;
        private final boolean served;
        private final Staging staging;

        Stored(
                Path path,
                List<FileTensor> tensors,
                @Nullable TensorSource beside,
                FolderLayout layout,
                AdapterConfig config,
                boolean served,
                Staging staging) {
            this.path = path;
            this.staging = staging;
            this.beside = beside;
            this.layout = layout;
            this.config = config;
            this.served = served;
            for (FileTensor tensor : tensors) {
                FileTensor other = keys.put(layout.canonical(tensor.name()), tensor);
                if (other != null) {
                    throw tensor.wrong("means the same as " + other.name() + ": one of them must go");
                }
            }
        }

        @Override
        public Tensor get(String key, Initial initial, ScalarType type, long... shape) {
            String wanted = layout.toFile(config, key);
            FileTensor stored = keys.get(wanted);
            if (stored == null) {
                throw new FormatException(
                        path,
                        "has no tensor " + wanted + " " + Arrays.toString(shape) + ", which " + CONFIG + " calls for"
                                + hint(wanted));
            }
            read.add(stored);
            stored.requireShape(shape);
            if (torch.isFloatingType(type) && !stored.info().dtype().isFloat()) {
                throw stored.wrong("is stored as " + stored.info().dtype() + ", expected floating-point values");
            }
            return stored.value(type, staging);
        }

        @Override
        public Tensor derived(String key, Initial initial, ScalarType type, long... shape) {
            if (beside == null || !beside.names().contains(key)) {
                return Grafter.Values.super.derived(key, initial, type, shape);
            }
            FileTensor stored = new FileTensor(beside, key, new FileTensor.Asked(type));
            stored.requireShape(shape);
            return stored.value(type, staging);
        }

        @Override
        public long @Nullable [] storedShape(String key) {
            FileTensor stored = keys.get(layout.toFile(config, key));
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

        void refuseUnread(Adapter adapter) {
            if (beside != null && !beside.names().equals(adapter.beside().keySet())) {
                throw new FormatException(
                        beside.path(),
                        "has the tensors " + beside.names() + ", " + CONFIG + " calls for "
                                + adapter.beside().keySet());
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
                        "has " + unexpected.size() + " tensors that " + CONFIG + " does not account for, such as "
                                + unexpected.iterator().next());
            }
        }

        /** Copies of the base's own tensors and of trained ones under a second name: accepted when they are equal. */
        private boolean isKnownCopy(String key, FileTensor stored, Adapter adapter, Map<String, Tensor> copies) {
            Tensor original = copies.get(key);
            String what = "the base's";
            if (original == null) {
                original = twin(key, adapter);
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

        private @Nullable Tensor twin(String key, Adapter adapter) {
            for (Map.Entry<String, Tensor> alias : adapter.aliases().entrySet()) {
                if (layout.toFile(config, alias.getKey()).equals(key)) {
                    return alias.getValue();
                }
            }
            for (Parameter parameter : adapter.parameters().values()) {
                if (layout.twins(adapter, parameter.key()).contains(key)) {
                    return parameter.value();
                }
            }
            return null;
        }
    }
}
