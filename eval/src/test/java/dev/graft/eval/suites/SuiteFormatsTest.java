package dev.graft.eval.suites;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.suites.SuiteReport.TaskScore;
import dev.graft.eval.suites.SuiteTask.Answer;
import dev.graft.eval.suites.SuiteTask.Item;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.hub.DownloadProgress;
import dev.graft.hub.Hub;
import dev.graft.models.images.Picture;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.files.Splits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The official files of each benchmark, and its rules, by hand. */
class SuiteFormatsTest {
    private static final String SQUAD =
            "{\"version\": \"v2.0\", \"data\": [{\"title\": \"t\", \"paragraphs\": [{\"context\": \"Ada wrote it in"
                    + " 1843.\", \"qas\": [{\"id\": \"1\", \"question\": \"Who?\", \"answers\": [{\"text\": \"Ada\","
                    + " \"answer_start\": 0}], \"is_impossible\": false}, {\"id\": \"2\", \"question\": \"Where?\","
                    + " \"answers\": [], \"is_impossible\": true}]}]}]}";
    private static final String CONLL =
            "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\nGerman JJ I-NP I-MISC\n"
                    + "British JJ I-NP B-MISC\n\nPeter NNP I-NP I-PER\nBlackburn NNP I-NP I-PER\n";

    @TempDir
    Path folder;

    void write(String name, String... lines) throws IOException {
        Files.createDirectories(folder.resolve(name).getParent());
        Files.writeString(folder.resolve(name), String.join("\n", lines));
    }

    static List<Answer> say(List<Item> items, String... said) {
        return IntStream.range(0, items.size())
                .mapToObj(i -> new Answer(items.get(i), said[i], 0))
                .toList();
    }

    static SuiteTask task(String suite, String title) {
        return Suite.named(suite).task(title);
    }

    static Row.Completion asked(Item item) {
        return (Row.Completion) item.row();
    }

    @Test
    void squadCountsQuestionsWithoutAnswerAndTellsThemApart() throws IOException {
        write("dev-v2.0.json", SQUAD);
        List<Item> items = Squad.V2.read(folder, "dev");
        assertThat(items).extracting(Item::gold).containsExactly(List.of("Ada"), List.of(""));

        Map<String, Double> score = Squad.V2.score(say(items, "ada wrote", "Paris"));
        assertThat(score)
                .containsEntry("has_answer_exact_match", 0.0)
                .containsEntry("no_answer_f1", 0.0)
                .containsEntry("exact_match", 0.0);
        assertThat(score.get("f1")).isCloseTo(1.0 / 3, within(1e-9));
        assertThat(Squad.V2.score(say(items, "Ada", ""))).containsEntry("f1", 1.0);
        write("dev-v1.1.json", SQUAD);
        assertThatThrownBy(() -> Squad.V1.read(folder, "dev")).hasMessageContaining("question without an answer");
    }

    @Test
    void entitiesOfTheOfficialSchemeAreMarkedFromTheirBeginning() throws IOException {
        write("eng.testb", CONLL);
        SuiteTask task = task("conll2003", "conll2003");
        List<Item> items = task.read(folder, "test");
        assertThat(items).hasSize(2);
        assertThat(items.get(0).row().label().names()).containsExactly("B-ORG", "O", "B-MISC", "B-MISC");

        Map<String, Double> score = task.score(List.of(
                new Answer(items.get(0), List.of("B-ORG", "O", "B-MISC", "I-MISC"), 0),
                new Answer(items.get(1), List.of("B-PER", "I-PER"), 0)));
        // Two of three that are found are right, and two of four.
        assertThat(score.get("f1")).isCloseTo(2.0 * 2 / (3 + 4), within(1e-9));
    }

    @Test
    void meaningsHaveAllOfTheirReferencesToScoreAndARowForEachToTrain() throws IOException {
        String[] table = {"mr,ref", "\"name[A], food[B]\",\"A serves B, well.\"", "\"name[A], food[B]\",B at A."};
        write("trainset.csv", table);
        write("testset_w_refs.csv", table);
        SuiteTask task = task("e2e", "e2e");
        assertThat(task.read(folder, "train"))
                .extracting(item -> asked(item).completion())
                .containsExactly(" A serves B, well.", " B at A.");
        List<Item> test = task.read(folder, "test");
        assertThat(test).hasSize(1);
        assertThat(asked(test.get(0)).prompt()).isEqualTo("name[A], food[B]\nText:");
        assertThat(task.score(say(test, "A serves B, well.")))
                .hasEntrySatisfying("bleu", bleu -> assertThat(bleu).isCloseTo(1, within(1e-9)))
                .hasEntrySatisfying("rougeL", rouge -> assertThat(rouge).isEqualTo(1));
    }

    @Test
    void triplesAreJoinedAndUnseenKindsAreScoredApart() throws IOException {
        String entry = "<benchmark><entries><entry category=\"%s\" eid=\"1\"><originaltripleset><otriple>x | y |"
                + " z</otriple></originaltripleset><modifiedtripleset><mtriple>A | city | B &amp;"
                + " C</mtriple><mtriple>A | size | 3</mtriple></modifiedtripleset><lex comment=\"good\">A is in B"
                + " &amp; C.</lex><lex comment=\"\">B has A.</lex></entry></entries></benchmark>";
        write("train/1triples/a.xml", entry.formatted("Airport"));
        write("test/a.xml", entry.formatted("Airport"));
        write("test/b.xml", entry.formatted("Artist"));
        // Of the challenges of 2017 and 2020.
        write("test/testdata_no_lex.xml", "<benchmark/>");
        write("test/testdata_unseen_with_lex.xml", entry.formatted("Artist"));
        write("test/rdf-to-text-generation-test-data-without-refs-en.xml", "<benchmark/>");
        write("test/semantic-parsing-test-data-with-refs-en.xml", entry.formatted("Artist"));
        SuiteTask task = task("webnlg", "webnlg");
        List<Item> items = task.read(folder, "test");
        assertThat(items).extracting(Item::group).containsExactly("seen", "unseen");
        assertThat(asked(items.get(0)).prompt()).isEqualTo("A : city : B & C | A : size : 3\nText:");
        assertThat(items.get(0).gold()).containsExactly("A is in B & C.", "B has A.");
        assertThat(task.score(say(items, "A is in B & C.", "nothing of it at all")))
                .hasEntrySatisfying("bleu_seen", bleu -> assertThat(bleu).isCloseTo(1, within(1e-9)))
                .hasEntrySatisfying("bleu_unseen", bleu -> assertThat(bleu).isZero());

        write("test/b.xml", "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><benchmark>&x;</benchmark>");
        assertThatThrownBy(() -> task.read(folder, "test"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("b.xml");
    }

    @Test
    void dartHasTriplesAndTexts() throws IOException {
        write(
                "dart-v1.1.1-full-test.json",
                "[{\"tripleset\": [[\"A\", \"IN\", \"B\"], [\"B\", \"OF\", \"C\"]], \"subtree_was_extended\": true,"
                        + " \"annotations\": [{\"source\": \"s\", \"text\": \"A in B of C\"}]}]");
        List<Item> items = task("dart", "dart").read(folder, "test");
        assertThat(asked(items.get(0)).prompt()).startsWith("A : IN : B | B : OF : C\n");
        write("dart-v1.1.1-full-test.json", "[{\"tripleset\": [[\"A\", \"IN\"]], \"annotations\": []}]");
        assertThatThrownBy(() -> task("dart", "dart").read(folder, "test"))
                .hasMessageContaining("[0]: has a triple of 2");
    }

    @Test
    void translationsGoBothWaysAndLinesMustMatch() throws IOException {
        write("test.en", "Good morning.", "Thanks.", "");
        write("test.de", "Guten Morgen.", "Danke.", "");
        Suite suite = Suite.named("wmt").in(folder);
        assertThat(suite.tasks()).extracting(SuiteTask::title).containsExactly("de-en", "en-de");
        SuiteTask task = suite.task("en-de");
        List<Item> items = task.read(folder, "test");
        assertThat(asked(items.get(0)).prompt()).isEqualTo("Translate English to German: Good morning.\nGerman:");
        assertThat(task.score(say(items, "Guten Morgen.", "Danke.")).get("chrf"))
                .isCloseTo(1, within(1e-9));
        write("test.de", "Guten Morgen.", "");
        assertThatThrownBy(() -> task.read(folder, "test")).hasMessageContaining("test.de: has 1 lines, but test.en 2");
        Files.delete(folder.resolve("test.de"));
        assertThatThrownBy(() -> Suite.named("wmt").in(folder)).hasMessageContaining("expected two or more");
    }

    @Test
    void summariesAreComparedByStems() throws IOException {
        write("test.source", "A long story of cats.");
        write("test.target", "Cats sleep.");
        List<Item> items = task("xsum", "xsum").read(folder, "test");
        assertThat(task("xsum", "xsum").score(say(items, "a cat sleeps")).get("rouge1"))
                .isCloseTo(2.0 * 2 / 5, within(1e-9));
    }

    @Test
    void factsAreMeansOverRelationsAndObjectsOfSeveralTokensAreLeftOut() throws IOException {
        write(
                "relations.jsonl",
                "{\"relation\": \"P19\", \"template\": \"[X] was born in [Y] .\"}",
                "{\"relation\": \"P36\", \"template\": \"The capital of [X] is [Y] .\", \"type\": \"1-1\"}");
        write(
                "TREx/P19.jsonl",
                "{\"sub_label\": \"Ada\", \"obj_label\": \"London\"}",
                "{\"sub_label\": \"Bob\", \"obj_label\": \"Oslo\"}",
                "{\"sub_label\": \"Eve\", \"obj_label\": \"New York\"}");
        write("TREx/P36.jsonl", "{\"sub_label\": \"France\", \"obj_label\": \"Paris\"}");
        List<Item> items = Lama.TREX.read(folder, "test");
        assertThat(items).extracting(item -> ((Row.Text) item.row()).text()).startsWith("Ada was born in [MASK] .");
        List<Answer> answers = new ArrayList<>();
        double[] ranks = {1, 11, 0, 2};
        for (int i = 0; i < 4; i++) {
            answers.add(new Answer(items.get(i), List.of("x"), ranks[i]));
        }
        assertThat(Lama.TREX.score(answers)).contains(entry("p@1", (0.5 + 0) / 2), entry("p@10", (0.5 + 1) / 2));
        assertThat(Lama.TREX.score(answers)).containsEntry("p@1_1-1", 0.0).doesNotContainKey("p@1_N-1");
        answers.set(3, new Answer(items.get(3), List.of("x"), 1));
        assertThat(Lama.TREX.score(answers))
                .as("of relations whose type the file states")
                .containsEntry("p@1_1-1", 1.0);
        assertThat(Lama.TREX.notes(answers).get(0)).startsWith("1 of 4 facts are left out");

        write(
                "ConceptNet/test.jsonl",
                "{\"pred\": \"IsA\", \"masked_sentences\": [\"A cat is an [MASK].\"], \"sub_label\": \"cat\","
                        + " \"obj_label\": \"animal\"}",
                "{\"pred\": \"IsA\", \"masked_sentences\": [\"" + "very ".repeat(100)
                        + "[MASK].\"], \"sub_label\": \"cat\", \"obj_label\": \"old\"}",
                "{\"pred\": \"IsA\", \"masked_sentences\": [\"A dog is an [MASK].\"], \"obj_label\": \"animal\"}");
        assertThat(Lama.CONCEPTNET.read(folder, "test"))
                .extracting(Item::group)
                .as("one relation; the long sentence and the fact without a subject are left out")
                .containsExactly("test");
        write(
                "ConceptNet/test.jsonl",
                "{\"masked_sentences\": [\"A cat.\"], \"sub_label\": \"cat\", \"obj_label\": \"animal\"}");
        assertThatThrownBy(() -> Lama.CONCEPTNET.read(folder, "test")).hasMessageContaining("without [MASK]");
        write("common_vocab_cased.txt", "animal", "cat");
        assertThat(Lama.CONCEPTNET.answerFilter(folder)).accepts("cat").rejects("##s");
    }

    @Test
    void factsOfGoogleReAreAskedOnceAndNotWhereJudgesDenyThem() throws IOException {
        String fact = "{\"pred\": \"/people/person/date_of_birth\", \"sub\": \"/m/0hrd6l2\", \"obj\": \"1982-05-22\","
                + " \"evidences\": [{\"url\": \"http://en.wikipedia.org/wiki/Maria_Pilar_Romero\", \"snippet\": \"\","
                + " \"considered_sentences\": []}], \"judgments\": [{\"rater\": \"1\", \"judgment\": \"yes\"},"
                + " {\"rater\": \"2\", \"judgment\": \"%s\"}, {\"rater\": \"3\", \"judgment\": \"%s\"}],"
                + " \"sub_w\": \"Q7723827\", \"sub_label\": \"%s\", \"sub_aliases\": [], \"obj_w\": null,"
                + " \"obj_label\": \"1982\", \"obj_aliases\": [], \"uuid\": \"a\","
                + " \"masked_sentences\": [\"She (born 22 May [MASK]) plays.\"]}";
        write(
                "Google_RE/date_of_birth_test.jsonl",
                fact.formatted("yes", "no", "Pilar Romero"),
                fact.formatted("yes", "yes", "Pilar Romero"),
                fact.formatted("no", "skip", "Bob"));
        List<Item> items = Lama.GOOGLE_RE.read(folder, "test");
        assertThat(items)
                .extracting(item -> ((Row.Text) item.row()).text())
                .containsExactly("Pilar Romero (born [MASK]).");
        assertThat(items.get(0).group()).isEqualTo("date_of_birth");
    }

    @Test
    void theFinalNumberOfAWordProblemCounts() throws IOException {
        write(
                "test.jsonl",
                "{\"question\": \"How many?\", \"answer\": \"2*600=<<2*600=1200>>1200\\n#### 1,200\"}",
                "{\"question\": \"And now?\", \"answer\": \"#### -3\"}",
                "{\"question\": \"And?\", \"answer\": \"#### 5\"}");
        Gsm8k task = new Gsm8k();
        List<Item> items = task.read(folder, "test");
        assertThat(items).extracting(item -> item.gold().get(0)).containsExactly("1200", "-3", "5");
        Map<String, Double> score = task.score(say(items, "It is $1200.00.", "so #### -3.0 then 7", "five"));
        assertThat(score.get("exact_match")).isCloseTo(2.0 / 3, within(1e-9));
        assertThat(score.get("marked")).isCloseTo(1.0 / 3, within(1e-9));
        write("test.jsonl", "{\"question\": \"How many?\", \"answer\": \"1200\"}");
        assertThatThrownBy(() -> task.read(folder, "test"))
                .hasMessageContaining("test.jsonl:1: \"answer\" has no number");
    }

    @Test
    void optionsAreReadFromTheQuestionAndTornOnesStillHaveTheirAnswer() throws IOException {
        write(
                "bbh/snarks.json",
                "{\"canary\": \"c\", \"examples\": [{\"input\": \"Which?\\n"
                        + "Options:\\n"
                        + "(A) one\\n"
                        + "(B) two\", \"target\": \"(B)\"}, {\"input\": \"Film?\\n"
                        + "Options:\\n"
                        + "(A) Monsters\\n"
                        + "(B) Inc\", \"target\": \"Monsters, Inc\"}]}");
        write("navigate.json", "{}");
        List<Item> items = task("bbh", "snarks").read(folder, "test");
        assertThat(items)
                .extracting(item -> ((Row.Choice) item.row()).choices())
                .containsExactly(List.of("(A)", "(B)"), List.of("(A)", "(B)", "Monsters, Inc"));
        assertThat(task("bbh", "snarks").score(say(items, "(B)", "(A)"))).containsEntry("accuracy", 0.5);
        assertThat(Bbh.options("Valid?\nOptions:\n- valid \n- invalid")).containsExactly("valid", "invalid");
        assertThat(Suite.named("bbh").tasks()).hasSize(27);
    }

    @Test
    void picturesOfCifarAreReadWithTheirClasses() throws IOException {
        byte[] two = new byte[2 * 3073];
        two[0] = 3;
        two[3073] = 7;
        Arrays.fill(two, 1, 1025, (byte) 200);
        Files.createDirectories(folder.resolve("cifar-10-batches-bin"));
        Files.write(folder.resolve("cifar-10-batches-bin/test_batch.bin"), two);
        List<Item> items = ImageClassificationTask.CIFAR10.read(folder, "test");
        assertThat(items)
                .extracting(item -> item.row().label())
                .containsExactly(new Label.One("3"), new Label.One("7"));
        Picture first = ((Row.Image) items.get(0).row()).picture().read();
        assertThat(first.rgb()[0]).isEqualTo((byte) 200);
        assertThat(ImageClassificationTask.CIFAR10.score(say(items, "3", "3"))).containsEntry("accuracy", 0.5);
        Files.write(folder.resolve("cifar-10-batches-bin/test_batch.bin"), new byte[100]);
        assertThatThrownBy(() -> ImageClassificationTask.CIFAR10.read(folder, "test"))
                .isInstanceOf(InputException.class);
    }

    @Test
    void aRightClassAmongFiveCounts() throws IOException {
        for (String name : List.of("n01", "n02")) {
            Files.createDirectories(folder.resolve("val/" + name));
            Files.write(folder.resolve("val/" + name + "/a.png"), new Picture(2, 2, new byte[12]).greyPng());
        }
        List<Item> items = ImageClassificationTask.IMAGENET.read(folder, "val");
        Map<String, Double> score = ImageClassificationTask.IMAGENET.score(List.of(
                new Answer(items.get(0), List.of("n03", "n01"), 0), new Answer(items.get(1), List.of("n02"), 0)));
        assertThat(score).containsExactly(entry("top1", 0.5), entry("top5", 1.0));
    }

    @Test
    void vtabStatesBothOfItsMeans() throws IOException {
        List<TaskScore> scores = new ArrayList<>();
        for (SuiteTask task : Suite.named("vtab").tasks()) {
            double value = switch (task.group()) {
                case "natural" -> 0.8;
                case "specialised" -> 0.6;
                default -> 0.4;
            };
            scores.add(new TaskScore(task, 1, 1, List.of(Map.of("accuracy", value)), List.of(), null));
        }
        SuiteReport report = new SuiteReport(Suite.named("vtab"), folder, false, scores);
        assertThat(scores).hasSize(19);
        assertThat(report.average()).isCloseTo((7 * 0.8 + 4 * 0.6 + 8 * 0.4) / 19, within(1e-9));
        assertThat(report.groupAverage()).isCloseTo(0.6, within(1e-9));
        assertThat(report.toJson().at("/groups/specialised").doubleValue()).isCloseTo(0.6, within(1e-9));
    }

    @Test
    void listedPicturesMustBeThere() throws IOException {
        Files.createDirectories(folder.resolve("vtab/dtd/images"));
        Files.write(folder.resolve("vtab/dtd/images/1.png"), new Picture(2, 2, new byte[12]).greyPng());
        write("vtab/dtd/test.txt", "images/1.png 4");
        SuiteTask task = task("vtab", "dtd");
        assertThat(task.read(folder.resolve("vtab"), "test").get(0).row().label())
                .isEqualTo(new Label.One("4"));
        write("vtab/dtd/test.txt", "images/2.png 4");
        assertThatThrownBy(() -> task.read(folder.resolve("vtab"), "test")).hasMessageContaining("test.txt:1: names");
        write("outside.png", "x");
        write("vtab/dtd/test.txt", "../../outside.png 4");
        assertThatThrownBy(() -> task.read(folder.resolve("vtab"), "test"))
                .hasMessageContaining("no file of the benchmark");
        write("vtab/dtd/test.txt", "images/1.png");
        assertThatThrownBy(() -> task.read(folder.resolve("vtab"), "test"))
                .hasMessageContaining("the number of its class");
    }

    @Test
    void rowsToTrainOnAreValidatedByTheOfficialPartWhereThereIsOne() throws IOException {
        Hub hub = new Hub(Map.of("GRAFT_CACHE", folder.resolve("cache").toString()), DownloadProgress.SILENT);
        for (String name : List.of("eng.train", "eng.testa", "eng.testb")) {
            write("ner/" + name, CONLL);
        }
        try (Splits splits = Suite.open("conll2003", folder.resolve("ner").toString(), hub)) {
            assertThat(List.of(
                            splits.train().size(),
                            splits.validation().size(),
                            splits.test().size()))
                    .containsExactly(2, 2, 2);
            assertThat(splits.notes()).anyMatch(note -> note.contains("real rows; the rows of validation validate"));
        }
        assertThatThrownBy(() -> Suite.open("lama/trex", folder.toString(), hub))
                .hasMessageContaining("lama/trex has no rows to train on");
    }
}
