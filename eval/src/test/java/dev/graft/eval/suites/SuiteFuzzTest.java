package dev.graft.eval.suites;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.eval.suites.chat.FileJudge;
import dev.graft.eval.suites.chat.MtQuestion;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Any bytes in an official file are rows, or refused with an {@link InputException} that names the file. */
class SuiteFuzzTest {

    private static void read(SuiteTask task, String part, String name, byte[] content) throws IOException {
        Path folder = Files.createTempDirectory("graft-fuzz");
        try {
            Path file = folder.resolve(name);
            Files.createDirectories(file.getParent());
            Files.write(file, content);
            for (SuiteTask.Item item : task.read(folder, part)) {
                if (item.row() == null) {
                    throw new AssertionError("an item without a row");
                }
            }
        } catch (InputException refused) {
            if (!String.valueOf(refused.getMessage()).contains(folder.toString())) {
                throw new AssertionError("the file is not named", refused);
            }
        } finally {
            try (Stream<Path> all = Files.walk(folder)) {
                for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(each);
                }
            }
        }
    }

    @FuzzTest(maxDuration = "5s")
    void squad(byte[] content) throws IOException {
        read(Squad.V2, "dev", "dev-v2.0.json", content);
    }

    @FuzzTest(maxDuration = "5s")
    void conll(byte[] content) throws IOException {
        read(new Conll2003(), "test", "eng.testb", content);
    }

    @FuzzTest(maxDuration = "5s")
    void superGlue(byte[] content) throws IOException {
        for (SuperGlue task : List.of(SuperGlue.RECORD, SuperGlue.MULTIRC, SuperGlue.COPA)) {
            read(task, "val", task.folder + "/val.jsonl", content);
        }
    }

    @FuzzTest(maxDuration = "5s")
    void e2e(byte[] content) throws IOException {
        read(Suite.named("e2e").tasks().get(0), "test", "testset_w_refs.csv", content);
    }

    @FuzzTest(maxDuration = "5s")
    void dart(byte[] content) throws IOException {
        read(Suite.named("dart").tasks().get(0), "test", "dart-v1.1.1-full-test.json", content);
    }

    @FuzzTest(maxDuration = "5s")
    void webNlg(byte[] content) throws IOException {
        read(Suite.named("webnlg").tasks().get(0), "test", "test/a.xml", content);
    }

    @FuzzTest(maxDuration = "5s")
    void lama(byte[] content) throws IOException {
        read(Lama.CONCEPTNET, "test", "ConceptNet/test.jsonl", content);
        read(Lama.GOOGLE_RE, "test", "Google_RE/place_of_birth_test.jsonl", content);
    }

    @FuzzTest(maxDuration = "5s")
    void gsm8k(byte[] content) throws IOException {
        read(new Gsm8k(), "test", "test.jsonl", content);
    }

    @FuzzTest(maxDuration = "5s")
    void bbh(byte[] content) throws IOException {
        read(Suite.named("bbh").task("snarks"), "test", "bbh/snarks.json", content);
        read(Suite.named("bbh").task("word_sorting"), "test", "word_sorting.json", content);
    }

    @FuzzTest(maxDuration = "5s")
    void vtab(byte[] content) throws IOException {
        read(Suite.named("vtab").task("dtd"), "test", "dtd/test.txt", content);
    }

    private interface FileReader {
        void read(Path file) throws IOException;
    }

    private static void read(FileReader reader, byte[] content) throws IOException {
        Path file = Files.write(Files.createTempFile("graft-fuzz", ".json"), content);
        try {
            reader.read(file);
        } catch (InputException refused) {
            if (!String.valueOf(refused.getMessage()).contains(file.toString())) {
                throw new AssertionError("the file is not named", refused);
            }
        } finally {
            Files.delete(file);
        }
    }

    @FuzzTest(maxDuration = "5s")
    void coco(byte[] content) throws IOException {
        read(CocoFiles::read, content);
    }

    @FuzzTest(maxDuration = "5s")
    void cocoPredictions(byte[] content) throws IOException {
        Path objects = Files.writeString(Files.createTempFile("graft-objects", ".json"), CocoFilesTest.OBJECTS);
        try {
            read(CocoFiles.read(objects)::score, content);
        } finally {
            Files.delete(objects);
        }
    }

    @FuzzTest(maxDuration = "5s")
    void mtBenchAnswers(byte[] content) throws IOException {
        read(MtQuestion::answers, content);
    }

    @FuzzTest(maxDuration = "5s")
    void mtBenchJudgements(byte[] content) throws IOException {
        read(FileJudge::new, content);
    }
}
