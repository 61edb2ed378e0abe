package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.cli.bench.GraftProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class CompareCommandTest {
    @TempDir
    private Path folder;

    private Path recipe;

    @BeforeEach
    void recipe() throws IOException {
        Files.writeString(folder.resolve("train.jsonl"), rows(0, 24));
        Files.writeString(folder.resolve("test.jsonl"), rows(24, 12));
        recipe = Files.writeString(folder.resolve("compare.yaml"), """
            model: file:%s
            dtype: fp32
            data:
              train: %s
              test: %s
              valid_fraction: 0.3
            methods: [lora, ia3]
            rates: [0.5, 1]
            seeds: 2
            lora:
              r: 2
            max_steps: 2
            metric: accuracy
            output_dir: %s
            """.formatted(
                        Cli.base("bert-base"),
                        folder.resolve("train.jsonl"),
                        folder.resolve("test.jsonl"),
                        folder.resolve("out")));
    }

    private static String rows(int from, int count) {
        StringBuilder rows = new StringBuilder();
        for (int i = from; i < from + count; i++) {
            String word = i % 2 == 0 ? "cat" : "dog";
            rows.append("{\"text\": \"" + word + " " + i + "\", \"label\": \"" + word + "\"}\n");
        }
        return rows.toString();
    }

    private Cli compare(Object... more) {
        List<Object> words = new ArrayList<>(List.of("compare", recipe));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    @Test
    void showsEveryMethodBesideTheFrozenBaseAndFullFineTuning() {
        Cli run = compare("--json");

        assertThat(run.code()).as(run.err()).isZero();
        JsonNode rows = run.json().get("methods");
        assertThat(rows.valueStream().map(row -> row.get("method").stringValue()))
                .containsExactly("frozen-base", "full-fine-tuning", "lora", "ia3");
        assertThat(rows.get(2).get("trainable").longValue())
                .isPositive()
                .isLessThan(rows.get(1).get("trainable").longValue());
        assertThat(rows.get(2).get("seeds").intValue()).isEqualTo(2);
        assertThat(rows.get(2).get("above_frozen")).hasSize(2);
        assertThat(folder.resolve("out/standings.json")).exists();
        assertThat(run.err()).contains("1/10  frozen-base").contains("10/10  ia3");
    }

    @Test
    void goesOnWhereItWasAndTellsSo() throws IOException {
        assertThat(compare("seeds=1", "methods=lora").code()).isZero();
        Cli again = compare("seeds=2", "methods=lora");

        assertThat(again.code()).as(again.err()).isZero();
        assertThat(again.err()).contains("5 of 7 trials are done already").contains("7/7  lora");
        assertThat(again.out()).contains("method").contains("frozen-base").containsPattern("lora +[\\d,]+ ");
    }

    @Test
    void oneHelperAloneSaysWhatItLoadsAndFindsDone() {
        assertThat(compare("seeds=1", "methods=lora").code()).isZero();
        String[] more = {"seeds=2", "methods=[lora,ia3]", "--jobs", "2", "--worker"};

        Cli second = compare(more[0], more[1], more[2], more[3], more[4], "2");
        assertThat(second.err()).doesNotContain("Loaded", "done already").contains("10/10  ia3");
        assertThat(second.out()).isEmpty();
        Cli first = compare("seeds=3", more[1], more[2], more[3], more[4], "1");
        assertThat(first.err()).contains("Loaded", "10 of 13 trials are done already");
    }

    @Test
    @Tag("slow") // a second process
    void processesSideBySideGiveTheSameAsOne() throws IOException {
        JsonNode alone = compare("--json").json();
        JsonNode shared = compare("--json", "--jobs", "2", "output_dir=" + folder.resolve("shared"))
                .json();

        for (int row = 0; row < 4; row++) {
            assertThat(shared.at("/methods/" + row + "/score")).isEqualTo(alone.at("/methods/" + row + "/score"));
        }
    }

    @Test
    @Tag("slow") // two processes
    void goesOnAfterItWasKilled() throws Exception {
        List<String> command = new ArrayList<>(GraftProcess.program().start());
        command.addAll(List.of("compare", recipe.toString(), "seeds=2", "max_steps=30"));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile())
                .start();
        Path trials = folder.resolve("out/trials");
        while (process.isAlive() && outcomes(trials).size() < 2) {
            Thread.sleep(20);
        }
        process.destroyForcibly().waitFor();
        List<Path> before = outcomes(trials);
        assertThat(before).hasSizeBetween(2, 9);
        List<FileTime> times = new ArrayList<>();
        for (Path file : before) {
            times.add(Files.getLastModifiedTime(file));
        }

        Cli again = compare("seeds=2", "max_steps=30");

        assertThat(again.code()).as(again.err()).isZero();
        assertThat(again.err()).contains(before.size() + " of 10 trials are done already");
        for (int i = 0; i < before.size(); i++) {
            assertThat(Files.getLastModifiedTime(before.get(i))).isEqualTo(times.get(i));
        }
        assertThat(outcomes(trials)).hasSize(10);
    }

    private static List<Path> outcomes(Path trials) throws IOException {
        if (!Files.isDirectory(trials)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(trials)) {
            return files.filter(file -> file.toString().endsWith(".json")
                            && !file.getFileName().toString().startsWith("."))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void optionsOfAMethodAreThatMethodsAlone() {
        JsonNode two = compare("--json", "seeds=1").json();
        JsonNode four = compare("--json", "seeds=1", "lora.r=4").json();

        long before = two.at("/methods/2/trainable").longValue();
        assertThat(four.at("/methods/2/trainable").longValue()).isGreaterThan(before);
        assertThat(four.at("/methods/3")).isEqualTo(two.at("/methods/3"));
    }

    @Test
    void whatMeansNothingHereIsRefusedByName() {
        assertThat(compare("method=lora").err()).contains("method: a comparison has methods");
        assertThat(compare("save_steps=3").err()).contains("save_steps: a comparison scores each method once");
        assertThat(compare("methods=[lorra]").err()).contains("\"lorra\"; did you mean lora?");
        assertThat(compare("seeds=0").err()).contains("seeds is 0");
        assertThat(compare("metric=bleu").err()).contains("metric is bleu");
        assertThat(compare("ia3.rank=3").err()).contains("rank");
        assertThat(compare("lorra.r=3").err()).contains("lorra.r: unknown option");
        assertThat(compare("elsewhere").err()).contains("elsewhere stands after the recipe");
        assertThat(Cli.run("compare", "seeds=3").err()).contains("stands where the recipe should be");
        assertThat(compare("--jobs", "0").err()).contains("--jobs is 0");
        assertThat(compare("--jobs", "0").code()).isEqualTo(2);
    }

    @Test
    void methodsAreComparedWithoutATeacher() {
        for (String given : List.of("teacher=file:larger", "adapter=larger", "temperature=3", "weight=0.3")) {
            Cli run = compare("distillation." + given);
            assertThat(run.code()).as(run.err()).isEqualTo(2);
            assertThat(run.err())
                    .contains("distillation." + given.substring(0, given.indexOf('=')) + " is given, but methods");
        }
    }

    @Test
    void rowsToChooseByAndToScoreOnMustBeThere() {
        assertThat(compare("data.valid_fraction=0").err()).contains("there are no validation rows");
        assertThat(compare("data.test=null").err()).contains("there are no test rows");
    }

    @Test
    void whatWasMeasuredGoesToThePagesAndStaysWhereItIsRewritten() throws IOException {
        Path page = page();
        Cli nothing = compare("seeds=1", "methods=lora", "--write-pages", page.getParent());
        assertThat(nothing.code()).isEqualTo(2);
        assertThat(nothing.err()).contains("--write-pages finds nothing that was measured in ");
        assertThat(compare("seeds=1", "methods=lora").code()).isZero();

        Cli wrote = compare("seeds=1", "methods=lora", "--write-pages", page.getParent());
        assertThat(wrote.code()).isZero();
        assertThat(wrote.err()).contains("wrote    1 row of methods into ");

        String written = Files.readString(page);
        assertThat(written)
                .startsWith("# LoRA\n\nText.\n\n<!-- measured")
                .endsWith("<!-- /measured -->\n\n## Reference\n\nTable.\n")
                .containsPattern("\\| [^|]*bert-base \\| accuracy [01]\\.\\d{3} \\(")
                .contains("seeds=1 methods=lora`; one seed, the best of the rates 5e-04, 1e-03");
        assertThat(compare("seeds=1", "methods=lora", "--write-pages", page.getParent())
                        .code())
                .isZero();
        assertThat(Files.readString(page)).isEqualTo(written);
        assertThat(compare("--write-pages", folder.resolve("none")).code()).isEqualTo(2);
    }

    @Test
    void aLongerTrainingHasARowOfItsOwn() throws IOException {
        Path page = page();
        String longer = "output_dir=" + folder.resolve("longer");
        assertThat(compare("seeds=1", "methods=lora").code()).isZero();
        assertThat(compare("seeds=1", "methods=lora", "max_steps=3", longer).code())
                .isZero();

        assertThat(compare("seeds=1", "methods=lora", "--write-pages", page.getParent())
                        .code())
                .isZero();
        assertThat(compare("seeds=1", "methods=lora", "max_steps=3", longer, "--write-pages", page.getParent())
                        .code())
                .isZero();

        assertThat(Files.readString(page))
                .containsPattern("\\| [^|]*bert-base \\| accuracy")
                .containsPattern("\\| [^|]*bert-base, 3 steps \\| accuracy");
    }

    @Test
    @Tag("slow") // two processes
    void costsAreMeasuredInFreshProcessesAndStandBesideScoresOfBefore() throws IOException {
        Path page = page();
        assertThat(compare("seeds=1", "methods=lora").code()).isZero();
        assertThat(compare("seeds=1", "methods=lora", "--write-pages", page.getParent())
                        .code())
                .isZero();
        String scored = Files.readString(page)
                .lines()
                .filter(line -> line.contains("accuracy"))
                .findFirst()
                .orElseThrow();
        String elsewhere = "output_dir=" + folder.resolve("elsewhere");

        Cli costs = compare("methods=lora", elsewhere, "--costs");

        assertThat(costs.code()).as(costs.err()).isZero();
        assertThat(folder.resolve("elsewhere/costs/lora.json")).exists();
        assertThat(Files.readString(folder.resolve("elsewhere/report.html"))).contains("Table 1", "Table 2");
        Cli written = compare("methods=lora", elsewhere, "--write-pages", page.getParent());
        assertThat(written.code()).as(written.err()).isZero();
        assertThat(Files.readString(page))
                .contains(scored.substring(0, scored.indexOf(" (")))
                .contains("| 1.00 | 1.00 | 1.00; merged ")
                .contains("seeds=1 methods=lora`; one seed")
                .containsPattern(", costs: `./graft compare .* methods=lora --costs`; ");
    }

    private Path page() throws IOException {
        Path pages = Files.createDirectories(folder.resolve("pages"));
        return Files.writeString(pages.resolve("lora.md"), "# LoRA\n\nText.\n\n## Reference\n\nTable.\n");
    }

    @Test
    void twoComparisonsAreHeldSideBySide() {
        Path before = folder.resolve("before");
        Path after = folder.resolve("after");
        assertThat(compare("seeds=1", "output_dir=" + before).code()).isZero();
        assertThat(compare("seeds=1", "methods=[lora]", "lora.r=4", "output_dir=" + after)
                        .code())
                .isZero();

        Cli diff = Cli.run("compare", "--diff", before, after);

        assertThat(diff.code()).as(diff.err()).isZero();
        assertThat(diff.out())
                .containsPattern("lora +[01]\\.\\d{4} +[01]\\.\\d{4} +[+-][01]\\.\\d{4} .*\\d+ → \\d+")
                .containsPattern("frozen-base .*\\+0\\.0000")
                .contains("gone: ia3");
        assertThat(Cli.run("compare", "--diff", before).err()).contains("--diff takes the output folders of two");
        assertThat(Cli.run("compare", "--diff", before, folder).err()).contains("has no standings.json");
    }
}
