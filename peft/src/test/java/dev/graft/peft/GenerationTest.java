package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.GeneratedText;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class GenerationTest {
    static final Path FIXTURES = Path.of("../parity/fixtures");
    static final Base BASE = Base.load(FIXTURES.resolve("bases/llama-gqa"));
    static final Generator GENERATOR = new Generator(BASE, null);
    static final List<int[]> PROMPTS = List.of(new int[] {5, 9, 12}, new int[] {30}, new int[] {7, 21, 40, 3, 8});

    static int[] alone(int row, Selection selection) {
        return GENERATOR
                .generate(
                        List.of(PROMPTS.get(row)),
                        GenerateOptions.DEFAULT.withMaxNewTokens(12).withEndTokens(Set.of()),
                        selection.hooks(),
                        TextListener.SILENT)
                .get(0)
                .ids();
    }

    @Test
    void adaptersOfRowsStayWithThemWhenOtherRowsEnd() {
        List<Selection> selections = List.of(
                Selection.of(Adapter.load(BASE, FIXTURES.resolve("adapters/llama-gqa/lora-all-linear"))),
                Selection.BASE,
                Selection.of(Adapter.load(BASE, FIXTURES.resolve("adapters/llama-gqa/dora"))));
        for (int ending = 0; ending < 3; ending++) {
            int end = alone(ending, selections.get(ending))[1];

            List<GeneratedText> batch = GENERATOR.generate(
                    PROMPTS,
                    GenerateOptions.DEFAULT.withMaxNewTokens(12).withEndTokens(Set.of(end)),
                    Selection.rows(selections).hooks(),
                    TextListener.SILENT);

            assertThat(batch.get(ending).ids().length).isLessThanOrEqualTo(2);
            for (int row = 0; row < 3; row++) {
                int[] ids = batch.get(row).ids();
                assertThat(ids).isEqualTo(Arrays.copyOf(alone(row, selections.get(row)), ids.length));
            }
        }
    }

    @Test
    void adapterChangesTheText() {
        Selection adapted = Selection.of(Adapter.load(BASE, FIXTURES.resolve("adapters/llama-gqa/lora-all-linear")));
        assertThat(alone(0, adapted)).isNotEqualTo(alone(0, Selection.BASE));
    }
}
