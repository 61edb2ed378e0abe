package dev.graft.models.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Fixtures;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Prefix;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.SoftPrompt;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GeneratorTest {
    static final Base BASE = Base.load(Fixtures.folder("llama-gqa"));
    static final Tokenizer LETTERS = Tokenizers.parse("letters", Fixtures.tokenizerOf64());
    static final Generator GENERATOR = new Generator(BASE, LETTERS);
    static final GenerateOptions TO_THE_END = GenerateOptions.DEFAULT.withEndTokens(Set.of());
    static final List<int[]> PROMPTS = List.of(new int[] {5, 9, 12}, new int[] {30}, new int[] {7, 7, 21, 40, 3});

    static List<GeneratedText> generate(GenerateOptions options, int[]... prompts) {
        return GENERATOR.generate(List.of(prompts), options, Hooks.NONE, TextListener.SILENT);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama-gqa",
                "llama-mha",
                "llama3-rope",
                "phi3-longrope",
                "qwen3-yarn",
                "gpt-neox",
                "gptj",
                "codegen",
                "falcon",
                "falcon-alibi",
                "stablelm-parallel",
                "rwkv",
                "rwkv-halved",
                "nemotron-h",
                "nemotron-h-bias",
                "gpt-bigcode",
                "gpt-neo",
                "opt",
                "opt-behind",
                "bloom",
                "mpt",
                "llama4",
                "llama4-pictures"
            })
    void greedyTokensAreThoseOfTheReference(String name) {
        Fixtures reference = Fixtures.of(name);
        int[][] ids = reference.ints("generate.input_ids");
        int[][] mask = reference.ints("generate.attention_mask");
        int[][] sequences = reference.ints("generate.sequences");
        List<int[]> prompts = new ArrayList<>();
        for (int row = 0; row < ids.length; row++) {
            int padding = (int) Arrays.stream(mask[row]).filter(m -> m == 0).count();
            prompts.add(Arrays.copyOfRange(ids[row], padding, ids[row].length));
        }
        assertThat(prompts.get(1)).hasSizeLessThan(prompts.get(0).length);

        List<GeneratedText> texts = new Generator(Base.load(Fixtures.folder(name)), null)
                .generate(
                        prompts,
                        TO_THE_END.withMaxNewTokens(sequences[0].length - ids[0].length),
                        Hooks.NONE,
                        TextListener.SILENT);

        for (int row = 0; row < ids.length; row++) {
            assertThat(texts.get(row).ids())
                    .isEqualTo(Arrays.copyOfRange(sequences[row], ids[row].length, sequences[row].length));
            assertThat(texts.get(row).reason()).isEqualTo(FinishReason.LENGTH);
        }
    }

    /** Shorter texts are padded before their first token. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama-gqa",
                "gemma2",
                "gpt2",
                "opt",
                "bloom",
                "mpt",
                "gpt-neox",
                "phi",
                "stablelm",
                "rwkv",
                "nemotron-h",
                "gptj",
                "codegen",
                "falcon",
                "falcon-alibi",
                "llama4"
            })
    void textsOfDifferentLengthsAreWrittenTogetherInBf16(String name) {
        Base base = Base.load(Fixtures.folder(name), Base.Options.DEFAULT.withNumerics(Numerics.BF16));
        Tensor ids = Tensors.of(new long[][] {{0, 0, 5, 9, 12}, {7, 7, 21, 40, 3}});
        Tensor mask = Tensors.of(new long[][] {{0, 0, 1, 1, 1}, {1, 1, 1, 1, 1}});
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor together =
                    base.logits(Inputs.of(ids, mask).withPositionsFromMask(), ForwardPass.inference(Hooks.NONE));
            Tensor alone = base.logits(Inputs.of(new long[][] {{5, 9, 12}}), ForwardPass.inference(Hooks.NONE));

            Tensor difference = together.select(0, 0).narrow(0, 2, 3).sub(alone.select(0, 0));
            double size = Tensors.item(alone.abs().amax());
            assertThat(Tensors.item(difference.abs().amax())).isLessThan(0.03 * size);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "llama-mha", "llama3-rope"})
    void firstLogitsAreThoseOfTheReference(String name) {
        Base base = Base.load(Fixtures.folder(name));
        Fixtures reference = Fixtures.of(name);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(6)) {
            Tensor mask = reference.tensor("generate.attention_mask");
            Inputs in = new Inputs(reference.tensor("generate.input_ids"), mask, null, cache.positions(mask));
            Tensor logits = base.logits(in, ForwardPass.cached(Hooks.NONE, cache));
            reference.assertMatches("generate.first_logits", logits.select(1, 5));
        }
    }

    @Test
    void rowsOfABatchAreWhatTheyAreAlone() {
        GenerateOptions greedy = TO_THE_END.withMaxNewTokens(12);
        GenerateOptions sampled = greedy.withTemperature(1.1).withTopP(0.9).withSeed(7);
        for (GenerateOptions options : List.of(greedy, sampled)) {
            List<GeneratedText> batch = GENERATOR.generate(PROMPTS, options, Hooks.NONE, TextListener.SILENT);
            for (int row = 0; row < PROMPTS.size(); row++) {
                GeneratedText alone = generate(options, PROMPTS.get(row)).get(0);
                assertThat(batch.get(row).ids()).isEqualTo(alone.ids());
                assertThat(batch.get(row).text()).isEqualTo(alone.text());
            }
        }
    }

    /** Counts the tokens that the first layer reads, and acts on linear layers as adapters do. */
    private static final class Reading implements Hooks {
        private long tokens;

        @Override
        public boolean isFrozen(Site site) {
            return !(site instanceof Linear);
        }

        @Override
        public Tensor linear(Linear site, Tensor x, PassView pass) {
            tokens += site.role() == Role.QUERY && site.layer() == 0 ? x.size(1) : 0;
            return site.apply(x, pass).mul(new Scalar(0.9));
        }
    }

    @Test
    void turnsOfAConversationAreReadOnce() {
        int[] first = {5, 9, 12, 30, 41};
        int[] second = {5, 9, 12, 30, 41, 8, 17, 3};
        int[] other = {5, 9, 50, 2};
        GenerateOptions options = TO_THE_END.withMaxNewTokens(6);
        Reading hooks = new Reading();
        try (KvCache cache = new KvCache(0)) {
            for (int[] prompt : List.of(first, second, other, other)) {
                GeneratedText again = GENERATOR
                        .generate(List.of(prompt), options, new Reading(), TextListener.SILENT)
                        .get(0);
                assertThat(GENERATOR
                                .generate(prompt, options, hooks, TextListener.SILENT, cache)
                                .ids())
                        .isEqualTo(again.ids());
            }
        }
        // Prompts without what they have in common with the one before, short of their last token, and five of six new
        // tokens each.
        assertThat(hooks.tokens).isEqualTo(5 + 3 + 2 + 1 + 4 * 5);
    }

    @Test
    void whatReadsAWholeTextReadsItEveryTurn() {
        Hooks prompts = new PerRow(false, 1);
        GenerateOptions options = TO_THE_END.withMaxNewTokens(4);
        try (KvCache cache = new KvCache(0)) {
            for (int[] prompt : List.of(new int[] {5, 9, 12}, new int[] {5, 9, 12, 4, 4})) {
                assertThat(GENERATOR
                                .generate(prompt, options, prompts, TextListener.SILENT, cache)
                                .ids())
                        .isEqualTo(GENERATOR
                                .generate(List.of(prompt), options, prompts, TextListener.SILENT)
                                .get(0)
                                .ids());
            }
        }
    }

    @Test
    void seedDecidesTheDraws() {
        GenerateOptions options = TO_THE_END.withMaxNewTokens(20).withTemperature(1.5);
        int[] first = generate(options.withSeed(1), PROMPTS.get(0)).get(0).ids();

        assertThat(generate(options.withSeed(1), PROMPTS.get(0)).get(0).ids()).isEqualTo(first);
        assertThat(generate(options.withSeed(2), PROMPTS.get(0)).get(0).ids()).isNotEqualTo(first);
        List<GeneratedText> twice = generate(options.withSeed(1), PROMPTS.get(0), PROMPTS.get(0));
        assertThat(twice.get(0).ids()).isEqualTo(first);
        assertThat(twice.get(1).ids()).isNotEqualTo(first);
    }

    @Test
    void rowsThatEndLeaveTheOthersAsTheyAre() {
        GenerateOptions options = TO_THE_END.withMaxNewTokens(12);
        List<GeneratedText> whole = GENERATOR.generate(PROMPTS, options, Hooks.NONE, TextListener.SILENT);
        int end = Arrays.stream(whole.get(1).ids())
                .filter(id -> Arrays.stream(whole.get(0).ids()).noneMatch(other -> other == id))
                .findFirst()
                .getAsInt();
        List<GeneratedText> ended =
                GENERATOR.generate(PROMPTS, options.withEndTokens(Set.of(end)), Hooks.NONE, TextListener.SILENT);

        Set<FinishReason> reasons = new HashSet<>();
        for (int row = 0; row < PROMPTS.size(); row++) {
            int[] ids = whole.get(row).ids();
            int at = 0;
            while (at < ids.length && ids[at] != end) {
                at++;
            }
            assertThat(ended.get(row).ids()).isEqualTo(Arrays.copyOf(ids, Math.min(at + 1, ids.length)));
            assertThat(ended.get(row).reason())
                    .isEqualTo(at < ids.length ? FinishReason.END_TOKEN : FinishReason.LENGTH);
            reasons.add(ended.get(row).reason());
        }
        assertThat(reasons).hasSize(2);
    }

    @Test
    void endTokenIsAmongTheIdsAndNotInTheText() {
        int[] ids =
                generate(TO_THE_END.withMaxNewTokens(4), PROMPTS.get(0)).get(0).ids();
        GeneratedText ended = generate(TO_THE_END.withEndTokens(Set.of(ids[2], 63)), PROMPTS.get(0))
                .get(0);

        assertThat(ended.ids()).endsWith(ids[2]);
        assertThat(ended.text()).isEqualTo(LETTERS.decode(Arrays.copyOf(ended.ids(), ended.ids().length - 1), true));
    }

    @Test
    void piecesAreTheTextAndNeverPartOfACharacter() {
        GenerateOptions options = TO_THE_END.withMaxNewTokens(40).withTemperature(3);
        List<StringBuilder> heard = List.of(new StringBuilder(), new StringBuilder(), new StringBuilder());
        List<GeneratedText> texts = GENERATOR.generate(PROMPTS, options, Hooks.NONE, (row, piece) -> {
            assertThat(piece).isNotEmpty();
            heard.get(row).append(piece);
        });

        for (int row = 0; row < 3; row++) {
            assertThat(heard.get(row)).hasToString(texts.get(row).text());
            assertThat(texts.get(row).text())
                    .isEqualTo(LETTERS.decode(texts.get(row).ids(), true));
            assertThat(texts.get(row).text().length()).isGreaterThan(20);
        }
    }

    @Test
    void stopStringEndsTheTextBeforeIt() {
        GenerateOptions options = TO_THE_END.withMaxNewTokens(30).withTemperature(2);
        String whole = generate(options, PROMPTS.get(2)).get(0).text();
        String stop = whole.substring(9, 12);
        StringBuilder heard = new StringBuilder();

        GeneratedText stopped = GENERATOR
                .generate(
                        List.of(PROMPTS.get(2)),
                        options.withStop("never there", stop),
                        Hooks.NONE,
                        (row, piece) -> heard.append(piece))
                .get(0);

        assertThat(stopped.reason()).isEqualTo(FinishReason.STOP_STRING);
        assertThat(stopped.text()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
        assertThat(heard).hasToString(stopped.text());
    }

    @Test
    void modelsEndTokensAreTheDefault() {
        GenerateOptions hot = GenerateOptions.DEFAULT.withMaxNewTokens(50).withTemperature(30);
        int ended = 0;
        for (int seed = 0; seed < 20; seed++) {
            GeneratedText generated =
                    generate(hot.withSeed(seed), PROMPTS.get(1)).get(0);
            assertThat(Arrays.stream(generated.ids()).limit(generated.ids().length - 1))
                    .doesNotContain(2);
            ended += generated.reason() == FinishReason.END_TOKEN ? 1 : 0;
        }
        assertThat(ended).isPositive();
    }

    @Test
    void textEndsWhereTheModelsPositionsEnd() {
        int[] prompt = new int[60];
        Arrays.fill(prompt, 9);
        GeneratedText generated =
                generate(TO_THE_END.withMaxNewTokens(50), prompt).get(0);

        assertThat(generated.ids()).hasSize(5);
        assertThat(generated.reason()).isEqualTo(FinishReason.LENGTH);
    }

    /** Another prompt or prefix for every row of the batch, known by its number. */
    record PerRow(boolean prefixes, int... rows) implements Hooks {
        @Override
        public Prefix prefix(Attention site, long batch, PassView pass) {
            if (!prefixes) {
                return null;
            }
            float[] keys = values(site.name() + " keys", site.heads() * 2 * site.headDim());
            float[] values = values(site.name() + " values", site.heads() * 2 * site.headDim());
            long[] shape = {batch, site.heads(), 2, site.headDim()};
            long[] shift = new long[(int) batch];
            Arrays.fill(shift, 2);
            return new Prefix(
                    () -> org.bytedeco.pytorch.global.torch.stack(
                            Tensors.vector(List.of(Tensors.of(keys, shape), Tensors.of(values, shape)))),
                    ones(batch),
                    Tensors.of(shift, batch));
        }

        @Override
        public SoftPrompt prompt(Embedding site, long batch, PassView pass) {
            float[] values = values("prompt", (int) (2 * site.hidden()));
            return prefixes ? null : new SoftPrompt(Tensors.of(values, batch, 2, site.hidden()), ones(batch));
        }

        private static Tensor ones(long batch) {
            return Tensors.ones(org.bytedeco.pytorch.global.torch.ScalarType.Long, batch, 2);
        }

        private float[] values(String name, int size) {
            float[] all = new float[rows.length * size];
            for (int i = 0; i < rows.length; i++) {
                float[] own = Tensors.floats(Rng.of(rows[i], name).normal(0, 1, size));
                System.arraycopy(own, 0, all, i * size, size);
            }
            return all;
        }

        @Override
        public Tensor linear(Linear site, Tensor x, PassView pass) {
            Tensor y = site.apply(x, pass);
            if (!site.name().endsWith("v_proj")) {
                return y;
            }
            float[] factors = new float[rows.length];
            for (int i = 0; i < rows.length; i++) {
                factors[i] = 1 + rows[i];
            }
            return y.mul(Tensors.of(factors, rows.length, 1, 1));
        }

        @Override
        public Hooks selectRows(int... kept) {
            return new PerRow(prefixes, Arrays.stream(kept).map(i -> rows[i]).toArray());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void adaptersOfRowsStayWithThemWhenOthersEnd(boolean prefixes) {
        GenerateOptions options = TO_THE_END.withMaxNewTokens(12);
        List<int[]> alone = new ArrayList<>();
        for (int row = 0; row < 3; row++) {
            alone.add(GENERATOR
                    .generate(List.of(PROMPTS.get(row)), options, new PerRow(prefixes, row), TextListener.SILENT)
                    .get(0)
                    .ids());
        }
        int end = alone.get(0)[1];
        List<GeneratedText> batch = GENERATOR.generate(
                PROMPTS, options.withEndTokens(Set.of(end)), new PerRow(prefixes, 0, 1, 2), TextListener.SILENT);

        assertThat(batch.get(0).ids().length).isLessThanOrEqualTo(2);
        for (int row = 0; row < 3; row++) {
            int[] ids = batch.get(row).ids();
            assertThat(ids).isEqualTo(Arrays.copyOf(alone.get(row), ids.length));
        }
        assertThat(batch).anyMatch(generated -> generated.ids().length > 2);
    }

    @Test
    void promptRowsTakePositions() {
        int[] prompt = new int[60];
        Arrays.fill(prompt, 9);
        List<GeneratedText> texts =
                GENERATOR.generate(List.of(prompt), TO_THE_END, new PerRow(false, 0), TextListener.SILENT);
        assertThat(texts.get(0).ids()).hasSize(3);

        int[] full = new int[63];
        assertThatThrownBy(
                        () -> GENERATOR.generate(List.of(full), TO_THE_END, new PerRow(false, 0), TextListener.SILENT))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("prompt 0 has 63 tokens behind 2 virtual ones")
                .hasMessageContaining("can take 64");
    }

    @Test
    void promptsThatCannotBeContinuedAreRefused() {
        assertThatThrownBy(() -> generate(TO_THE_END, new int[] {1}, new int[0]))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("prompt 1 has no tokens");
        assertThatThrownBy(() -> generate(TO_THE_END, new int[] {64}))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("token id 64")
                .hasMessageContaining("0 to 63");
        assertThatThrownBy(() -> generate(TO_THE_END, new int[65]))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("65 tokens")
                .hasMessageContaining("can take 64");
        assertThatThrownBy(() -> new Generator(BASE, null).generate("a", TO_THE_END))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no tokenizer");
        assertThatThrownBy(() -> new Generator(Base.load(Fixtures.folder("llama-seqcls")), null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("SEQ_CLS");
        assertThat(generate(TO_THE_END)).isEmpty();
    }

    @Test
    void memoryStaysFlat() throws IOException {
        GenerateOptions options = TO_THE_END.withMaxNewTokens(58);
        generate(options, PROMPTS.get(0), PROMPTS.get(1));
        for (int i = 0; i < 3; i++) {
            generate(options, PROMPTS.get(0), PROMPTS.get(1));
        }
        long before = residentKilobytes();
        for (int i = 0; i < 8; i++) {
            generate(options, PROMPTS.get(0), PROMPTS.get(1));
        }
        assertThat(residentKilobytes() - before).isLessThan(40_000);
    }

    private static long residentKilobytes() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmRSS")) {
                return Long.parseLong(line.replaceAll("\\D", ""));
            }
        }
        throw new IOException("no VmRSS");
    }
}
