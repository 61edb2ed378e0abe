package dev.graft.eval.suites;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.suites.SuiteTask.Item;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import java.awt.Color;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class TwinsTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(SuperGlue.class)
    void superGluesTasksHaveRowsOfEachClass(SuperGlue task) {
        SuperGlueTwin.write(folder, 3, 60);
        assertThat(Suite.isTwin(folder)).isTrue();
        List<Item> items = task.read(folder, "val");
        Map<Label, Integer> labels = new HashMap<>();
        items.forEach(item -> labels.merge(item.row().label(), 1, Integer::sum));
        assertThat(labels).hasSize(task.classes.size());
        // None is so frequent that saying it always would do.
        assertThat(labels.values()).allMatch(count -> count < 0.75 * items.size());
        assertThat(task.read(folder, "train")).hasSizeGreaterThanOrEqualTo(60);
    }

    @Test
    void questionsOfSquadAreAnsweredByWordsThatNoTrainingTextHas() {
        SquadTwin.write(folder, 3, 100);
        Set<String> train = new HashSet<>();
        Squad.V1
                .read(folder, "train")
                .forEach(item -> train.addAll(List.of(text(item).split("[ .,]+"))));
        for (Item item : Squad.V1.read(folder, "dev")) {
            Row.Question row = (Row.Question) item.row();
            Row.Answer answer = row.answers().get(0);
            assertThat(row.context().substring(answer.start())).startsWith(answer.text());
            assertThat(train).doesNotContain(answer.text());
        }
        assertThat(Squad.V2.read(folder, "dev").stream()
                        .filter(item -> item.group().equals("none"))
                        .count())
                .isBetween(40L, 100L);
    }

    private static String text(Item item) {
        return ((Row.Question) item.row()).context();
    }

    @Test
    void namesOfConllAreOfOneFileAlone() {
        ConllTwin.write(folder, 3, 300);
        Map<String, Set<String>> names = new HashMap<>();
        for (String part : List.of("train", "validation", "test")) {
            for (Item item : new Conll2003().read(folder, part)) {
                Row.Words row = (Row.Words) item.row();
                for (int i = 0; i < row.words().size(); i++) {
                    if (row.label().names().get(i).startsWith("B-")) {
                        names.computeIfAbsent(part, any -> new HashSet<>())
                                .add(row.words().get(i));
                    }
                }
            }
        }
        assertThat(names.get("train")).hasSize(72).doesNotContainAnyElementsOf(names.get("test"));
        assertThat(names.get("validation")).hasSize(36).doesNotContainAnyElementsOf(names.get("test"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"e2e", "webnlg", "dart", "xsum", "gsm8k", "wmt"})
    void writtenTasksHaveTestRowsOfOtherThings(String name) {
        Suite.writeTwin(name, folder, 3, 60);
        SuiteTask task = Suite.named(name).in(folder).tasks().get(0);
        assertThat(Suite.isTwin(folder)).isTrue();
        Set<String> train = new HashSet<>();
        List<Item> learnt = task.read(folder, "train");
        learnt.forEach(item -> train.addAll(words(((Row.Completion) item.row()).prompt())));
        List<Item> test = task.read(folder, "test");
        assertThat(learnt).hasSizeGreaterThanOrEqualTo(60);
        assertThat(test).hasSize(200).allSatisfy(item -> {
            Set<String> unseen = words(((Row.Completion) item.row()).prompt());
            unseen.removeAll(train);
            assertThat(unseen).isNotEmpty();
        });
        if (task.validationSplit() != null) {
            assertThat(prompts(task.read(folder, task.validationSplit())))
                    .hasSize(200)
                    .doesNotContainAnyElementsOf(prompts(learnt));
        }
        // The gold texts are wholly right.
        List<SuiteTask.Answer> right = test.stream()
                .map(item -> new SuiteTask.Answer(item, ((Row.Completion) item.row()).completion(), 0))
                .toList();
        assertThat(task.score(right).get(task.mainScores().get(0))).isCloseTo(1, within(1e-9));
    }

    private static Set<String> prompts(List<Item> items) {
        Set<String> prompts = new HashSet<>();
        items.forEach(item -> prompts.add(((Row.Completion) item.row()).prompt()));
        return prompts;
    }

    private static Set<String> words(String text) {
        return new HashSet<>(List.of(text.split("[^A-Za-z]+")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"cifar", "imagenet", "vtab"})
    void picturesOfEachShapeAreReadFromTheOfficialFiles(String name) {
        Suite.writeTwin(name, folder, 3, 100);
        for (SuiteTask task : Suite.named(name).tasks()) {
            List<Item> learnt = task.read(folder, Objects.requireNonNull(task.trainSplit()));
            List<Item> test = task.read(folder, task.scoredSplits().get(0));
            assertThat(learnt).hasSize(task.validationSplit() == null ? 100 : 80);
            assertThat(test).hasSize(200);
            assertThat(classes(learnt)).as(task.title()).hasSizeGreaterThanOrEqualTo(4);
            assertThat(classes(test)).hasSizeGreaterThanOrEqualTo(4);
        }
    }

    @Test
    void factsOfLamaAreOfTheWordsKeptForTests() {
        Suite.writeTwin("lama", folder.resolve("twin"), 3, 1);
        LamaTwin.write(folder.resolve("other"), new TwinVocabulary(3, false));
        for (Lama corpus : List.of(Lama.TREX, Lama.CONCEPTNET, Lama.SQUAD)) {
            Set<String> other = texts(corpus.read(folder.resolve("other"), "test"));
            List<Item> facts = corpus.read(folder.resolve("twin"), "test");
            assertThat(texts(facts)).hasSizeGreaterThan(40).doesNotContainAnyElementsOf(other);
        }
        assertThat(Lama.TREX.read(folder.resolve("twin"), "test"))
                .extracting(item -> item.group() + " " + item.kind())
                .contains("P36 1-1", "P31 N-M", "P279 N-1");
    }

    @Test
    void factsOfPeopleAreAskedAsGoogleResTemplatesAsk() {
        Suite.writeTwin("lama", folder.resolve("twin"), 3, 1);
        LamaTwin.write(folder.resolve("other"), new TwinVocabulary(3, false));
        List<Item> facts = Lama.GOOGLE_RE.read(folder.resolve("twin"), "test");
        assertThat(facts)
                .hasSize(36)
                .extracting(Item::group)
                .containsOnly("date_of_birth", "place_of_birth", "place_of_death");
        assertThat(texts(facts))
                .allMatch(text -> text.matches(".+ (\\(born \\[MASK]\\)\\.|(was born|died) in \\[MASK] \\.)"))
                .doesNotContainAnyElementsOf(texts(Lama.GOOGLE_RE.read(folder.resolve("other"), "test")));
        assertThat(facts.stream()
                        .filter(item -> item.group().equals("date_of_birth"))
                        .flatMap(item -> item.gold().stream()))
                .hasSize(12)
                .allMatch(year -> year.matches("1[0-9]{3}"));
        OfficialLines.json(
                folder.resolve("twin/Google_RE/place_of_death_test.jsonl"),
                (line, place, number) -> assertThat(
                                line.at("/evidences/0/snippet").stringValue())
                        .isEqualTo(line.at("/masked_sentences/0")
                                .stringValue()
                                .replace("[MASK]", line.path("obj_label").stringValue())));
    }

    @Test
    void bigBenchHardHasQuestionsOfEachForm() {
        Suite.writeTwin("bbh", folder, 3, 1);
        assertThat(Suite.named("bbh").tasks()).hasSize(27).allSatisfy(task -> {
            List<Item> items = task.read(folder, "test");
            assertThat(items).hasSize(100);
            Map<String, Integer> targets = new HashMap<>();
            items.forEach(item -> targets.merge(item.gold().get(0), 1, Integer::sum));
            assertThat(targets).hasSizeGreaterThanOrEqualTo(2);
            assertThat(targets.values()).as("none is always right").allMatch(count -> count <= 70);
        });
        Row.Choice seven = (Row.Choice) Suite.named("bbh")
                .task("tracking_shuffled_objects_seven_objects")
                .read(folder, "test")
                .get(0)
                .row();
        assertThat(seven.choices()).containsExactly("(A)", "(B)", "(C)", "(D)", "(E)", "(F)", "(G)");
    }

    private static Set<String> texts(List<Item> items) {
        Set<String> texts = new HashSet<>();
        items.forEach(item -> texts.add(((Row.Text) item.row()).text()));
        return texts;
    }

    private static Set<Label> classes(List<Item> items) {
        Set<Label> classes = new HashSet<>();
        items.forEach(item -> classes.add(item.row().label()));
        return classes;
    }

    @Test
    void coloursOfTestPicturesAreNewAndOtherwiseTheyDifferInShapeAlone() {
        TwinDrawing disk = TwinDrawing.of(List.of(0), false, new Random(1));
        TwinDrawing star = TwinDrawing.of(List.of(3), true, new Random(1));
        assertThat(disk.hue()).isBetween(0.0, 0.5);
        assertThat(star.hue()).isEqualTo(disk.hue() + 0.5);
        assertThat(star.place()).isEqualTo(disk.place());
        assertThat(star.turn()).isEqualTo(disk.turn());
        assertThat(figure(disk)).isGreaterThan(2 * figure(star));
    }

    /** How many points of a picture aren't of its grey ground. */
    private static long figure(TwinDrawing drawing) {
        BufferedImage picture = drawing.drawn(64, new Random(2));
        return IntStream.range(0, 64 * 64)
                .filter(point -> {
                    Color colour = new Color(picture.getRGB(point % 64, point / 64));
                    return Math.max(colour.getRed(), Math.max(colour.getGreen(), colour.getBlue()))
                                    - Math.min(colour.getRed(), Math.min(colour.getGreen(), colour.getBlue()))
                            > 60;
                })
                .count();
    }

    @Test
    void someOfWebNlgsKindsAreUnseen() {
        DataToTextTwin.webNlg(folder, 3, 60);
        assertThat(new WebNlg()
                        .read(folder, "test").stream()
                                .map(TextGenerationTask.TextPair::group)
                                .distinct())
                .containsExactlyInAnyOrder("seen", "unseen");
    }

    @Test
    void equalSeedsWriteEqualTwins() {
        SuperGlueTwin.write(folder.resolve("a"), 5, 20);
        SuperGlueTwin.write(folder.resolve("b"), 5, 20);
        for (SuperGlue task : SuperGlue.values()) {
            assertThat(task.file(folder.resolve("a"), "val"))
                    .hasSameTextualContentAs(task.file(folder.resolve("b"), "val"));
        }
    }
}
