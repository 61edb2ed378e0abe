package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class InspectCommandTest {

    @Test
    void showsModulesWithLayersThatAreAlikeOnce() {
        Cli run = Cli.run("inspect", Cli.base("llama-gqa"), "--dtype", "fp32");
        assertThat(run.code()).isZero();
        assertThat(run.out())
                .contains("parameters    22,688 in fp32")
                .containsPattern("model\\.layers\\.0 to 1 +2 layers alike, each +9,280\n")
                .containsPattern("  self_attn\\.k_proj +key +\\[16, 32\\] +512\n")
                .containsPattern("lm_head +head +\\[64, 32\\] +2,048\n")
                .containsPattern("all linear layers +all-linear +14 +16,384 +41\\.9\\d\\d\n");
        assertThat(run.err()).startsWith("Loaded " + Cli.base("llama-gqa") + ": llama, 22.7k parameters, fp32, ");
    }

    @Test
    void theJsonHasEveryModuleAndItsSumIsTheModel() {
        JsonNode json = Cli.run("inspect", Cli.base("bert-seqcls"), "--json", "--rank", 4)
                .json();
        assertThat(json.get("task").stringValue()).isEqualTo("SEQ_CLS");
        assertThat(json.get("modules")
                        .valueStream()
                        .mapToLong(module -> module.get("parameters").longValue())
                        .sum())
                .isEqualTo(json.get("parameters").longValue())
                .isEqualTo(24_515);
        JsonNode down = json.get("targets")
                .valueStream()
                .filter(target -> target.get("choice").stringValue().equals("down"))
                .findFirst()
                .orElseThrow();
        // The end "output.dense" would choose attention's too, so the layers are named by a regular expression.
        assertThat(down.get("target_modules").stringValue())
                .isEqualTo("bert\\.encoder\\.layer\\.\\d+\\.output\\.dense");
        assertThat(down.get("parameters").longValue()).isEqualTo(2 * 4 * (64 + 32) + 99);
    }

    @Test
    void aChoiceOfTheOverviewCanBeWrittenAsTargets() {
        JsonNode plan = Cli.run(
                        "inspect",
                        Cli.base("bert-seqcls"),
                        "--json",
                        "--method",
                        "lora",
                        "--rank",
                        4,
                        "--targets",
                        "bert\\.encoder\\.layer\\.\\d+\\.output\\.dense")
                .json();
        assertThat(plan.get("trainable").longValue()).isEqualTo(2 * 4 * (64 + 32) + 99);
    }

    @Test
    void aMethodsPlanHasItsTensorsAndItsSum() {
        Cli run = Cli.run(
                "inspect", Cli.base("llama-gqa"), "--method", "lora", "--rank", 8, "--targets", "q_proj,v_proj");
        assertThat(run.out())
                .containsPattern("model\\.layers\\.\\*\\.self_attn\\.q_proj\\.lora_A\\.weight +\\[8, 32\\] +2 +512\n")
                .contains("lora acts on 4 linear sites\n"
                        + "trainable params: 1,792 || all params: 24,480 || trainable%: 7.3203\n");
    }

    @Test
    void otherMethodsTakeTheirOwnOptions() {
        Cli run = Cli.run(
                "inspect",
                Cli.base("llama-gqa"),
                "--method",
                "prefix-tuning",
                "-o",
                "num_virtual_tokens=5",
                "-o",
                "prefix_projection=false",
                "--json");
        assertThat(run.json().get("trainable").longValue()).isEqualTo(5 * 2 * 2 * 16);
    }

    @Test
    void aMistypedMethodIsRefusedWithTheNearest() {
        Cli run = Cli.run("inspect", Cli.base("llama-gqa"), "--method", "lorra");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).isEqualTo("there is no method \"lorra\"; did you mean lora?\n");
    }

    @Test
    void anOptionThatTheMethodLacksIsRefused() {
        Cli run = Cli.run("inspect", Cli.base("llama-gqa"), "--method", "ia3", "--rank", 8);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("options of ia3: unknown field \"r\"", "`graft methods ia3` lists the options");
    }

    @Test
    void targetsThatMatchNothingAreRefusedWithWhatThereIs() {
        Cli run = Cli.run("inspect", Cli.base("llama-gqa"), "--method", "lora", "--targets", "nothing");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err())
                .contains("target_modules [nothing] match no module")
                .contains("q_proj");
    }

    @Test
    void targetsMayBeRolesOnBasesWithOtherNames() {
        JsonNode llama = plan("llama-gqa", "--method", "lora", "--rank", 4, "--targets", "query,mlp");
        JsonNode bert = plan("bert-seqcls", "--method", "lora", "--rank", 4, "--targets", "output");

        assertThat(llama.get("trainable").longValue()).isEqualTo(2 * 4 * (64 + 3 * 96));
        assertThat(bert.get("trainable").longValue()).isEqualTo(2 * 4 * 64 + 99);
    }

    private static JsonNode plan(String base, Object... options) {
        List<Object> words = new java.util.ArrayList<>(List.of("inspect", Cli.base(base), "--json"));
        words.addAll(List.of(options));
        return Cli.run(words.toArray()).json();
    }

    @Test
    void layersAreARangeForEveryMethodThatHasThem() {
        assertThat(plan("llama-gqa", "--method", "lora", "--rank", 4, "--layers", "1-")
                        .get("trainable")
                        .longValue())
                .isEqualTo(4 * (2 * 64 + 2 * 48 + 3 * 96));
        assertThat(plan("llama-gqa", "--method", "loreft", "--layers", "-1")
                        .get("sites")
                        .valueStream()
                        .map(site -> site.get("layer").intValue()))
                .containsExactly(1);
        assertThat(plan("bert-seqcls", "--method", "pfeiffer", "--layers", "0-0")
                        .get("sites")
                        .valueStream()
                        .filter(site -> site.get("kind").stringValue().equals("block"))
                        .map(site -> site.get("layer").intValue()))
                .containsExactly(0);
        Cli far = Cli.run("inspect", Cli.base("llama-gqa"), "--method", "lora", "--layers", "1-7");
        assertThat(far.code()).isEqualTo(2);
        assertThat(far.err()).contains("layers is \"1-7\"", "has the layers 0 to 1");
    }

    @Test
    void compatGivesPeftsDefaults() {
        long theirs = plan("llama-gqa", "--method", "lora", "--compat", "peft")
                .get("trainable")
                .longValue();

        // Rank 8 on query and value.
        assertThat(theirs).isEqualTo(2 * 8 * (64 + 48));
        Cli adapterHub = Cli.run("inspect", Cli.base("llama-gqa"), "--method", "pfeiffer", "--compat", "peft");
        assertThat(adapterHub.code()).isEqualTo(2);
        assertThat(adapterHub.err()).contains("pfeiffer is AdapterHub's and PEFT doesn't have it");
    }

    @Test
    void aModelThatIsNotThereIsBadInput() {
        Cli run = Cli.run("inspect", "smollm");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err())
                .contains("'smollm' is neither a file or folder here nor a known name", "did you mean 'smollm2'?");
    }

    @Test
    void withoutModelAndAdapterThereIsNothingToShow() {
        assertThat(Cli.run("inspect").code()).isEqualTo(2);
        assertThat(Cli.run("inspect", "--adapter", Cli.adapter("llama-gqa/lora"), "--method", "lora")
                        .err())
                .startsWith("name a MODEL, or an adapter by --adapter\n");
    }

    @Test
    void anAdaptersFolderIsDescribedWithoutItsBase() {
        Cli run = Cli.run("inspect", "--adapter", Cli.adapter("llama-gqa/lora"));
        assertThat(run.code()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.out())
                .containsPattern("lora_alpha +6\n")
                .containsPattern(
                        "base_model\\.model\\.model\\.layers\\.\\*\\.self_attn\\.v_proj\\.lora_B\\.weight +\\[16, 4\\]"
                                + " +F32 +2\n")
                .contains("8 tensors, 896 numbers, 3.5 KiB\n")
                .doesNotContain("fits ");
    }

    @Test
    void anAdapterWithItsBaseIsLoadedAndCounted() {
        JsonNode one = Cli.run("inspect", Cli.base("llama-gqa"), "--adapter", Cli.adapter("llama-gqa/ia3"), "--json")
                .json()
                .get("adapters")
                .get(0);
        assertThat(one.at("/config/peft_type").stringValue()).isEqualTo("IA3");
        assertThat(one.at("/on_base/method").stringValue()).isEqualTo("ia3");
        assertThat(one.at("/on_base/trainable").intValue()).isEqualTo(192);
        assertThat(one.at("/on_base/modules").size()).isEqualTo(6);
    }

    @Test
    void aHeadOfAdapterHubComesWithItsLabels(@TempDir Path folder) {
        Base.Options options = Base.Options.of(Task.SEQ_CLS).withLabels(List.of("spam", "ham", "eggs"));
        Adapter adapter = Adapter.create(Base.load(Cli.base("bert-base"), options), Pfeiffer.DEFAULT, 1);
        adapter.save(folder.resolve("adapter"));
        Cli run = Cli.run("inspect", Cli.base("bert-base"), "--adapter", folder.resolve("adapter"), "--json");
        assertThat(run.err()).contains("with pfeiffer on ").doesNotContain("no trained head");
        assertThat(run.json().at("/adapters/0/on_base/trainable").longValue()).isEqualTo(adapter.trainableCount());
    }

    @Test
    void tokensAreShownWithTheirPlacesInTheText(@TempDir Path folder) throws Exception {
        Path model = TinyLlama.write(folder.resolve("model"));
        JsonNode json =
                Cli.run("inspect", model, "--json", "--tokens", "é<|im_end|>").json();
        JsonNode last = json.get("tokens").get(json.get("tokens").size() - 1);
        assertThat(last.get("token").stringValue()).isEqualTo("<|im_end|>");
        assertThat(last.get("start").intValue()).isEqualTo(1);
        assertThat(last.get("end").intValue()).isEqualTo(11);
        assertThat(json.get("decoded").stringValue()).isEqualTo("é<|im_end|>");
        assertThat(Cli.run("inspect", model, "--tokens", "é<|im_end|>").out()).contains("\"<|im_end|>\"");
    }

    @Test
    void aChatIsShownAsTheTemplateWritesIt(@TempDir Path folder) throws Exception {
        Path model = TinyLlama.write(folder.resolve("model"));
        Cli open = Cli.runWith("[{\"role\": \"user\", \"content\": \"Hi\"}]", "inspect", model, "--template", "-");
        assertThat(open.out()).isEqualTo("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
        Cli answered = Cli.runWith(
                "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\":"
                        + " \"Ho\"}]}",
                "inspect",
                model,
                "--template",
                "-");
        assertThat(answered.out()).isEqualTo("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n");
        assertThat(Cli.run("inspect", model, "--template").out())
                .startsWith("<|im_start|>user\n"
                        + "What is the capital of France?<|im_end|>\n"
                        + "<|im_start|>assistant\n"
                        + "Paris.<|im_end|>\n")
                .endsWith("<|im_start|>assistant\n");
        Cli none = Cli.runWith("{}", "inspect", model, "--template", "-");
        assertThat(none.code()).isEqualTo(2);
        assertThat(none.err()).contains("standard input: expected an array of messages");
    }
}
