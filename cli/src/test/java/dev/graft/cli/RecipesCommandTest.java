package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecipesCommandTest {
    private static final Path OWN = Path.of("../recipes");

    @TempDir
    Path folder;

    @BeforeAll
    static void ofThisProject() {
        System.setProperty("graft.home", "..");
    }

    @AfterAll
    static void ofNoProject() {
        System.clearProperty("graft.home");
    }

    @Test
    void theTableSaysWhatEachRecipeDoes() {
        Cli run = Cli.run("recipes");
        assertThat(run.code()).isZero();
        assertThat(run.out())
                .containsPattern("\nminilm-classify +MiniLM learns to tell questions, ")
                .containsPattern("\nsmollm2-dpo +SmolLM2-135M-Instruct learns to prefer ");
    }

    @Test
    void aNameShowsTheText() throws Exception {
        Cli run = Cli.run("recipes", "minilm-classify");
        assertThat(run.out()).isEqualTo(Files.readString(OWN.resolve("minilm-classify.yaml")));
    }

    @Test
    void aCopyHasTheDataToo() {
        Cli run = Cli.run("recipes", "copy", "smollm2-dpo", "--to", folder);
        assertThat(run.code()).isZero();
        for (String file : new String[] {"smollm2-dpo.yaml", "data/pairs-train.jsonl", "data/pairs-valid.jsonl"}) {
            Path copy = folder.resolve("recipes").resolve(file);
            assertThat(copy).hasSameBinaryContentAs(OWN.resolve(file));
            assertThat(run.out()).contains("wrote " + copy + "\n");
        }
        assertThat(folder.resolve("recipes/data")).isDirectoryNotContaining("glob:**intents*");
    }

    @Test
    void aCopyOverwritesNothing() throws Exception {
        Path mine = Files.createDirectories(folder.resolve("recipes/data")).resolve("pairs-valid.jsonl");
        Files.writeString(mine, "mine");
        Cli run = Cli.run("recipes", "copy", "smollm2-dpo", "--to", folder);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).isEqualTo(mine + " exists; delete it, or copy to another folder\n");
        assertThat(mine).hasContent("mine");
        assertThat(folder.resolve("recipes/smollm2-dpo.yaml")).doesNotExist();
    }

    @Test
    void anUnknownNameIsRefusedWithTheNearest() {
        Cli run = Cli.run("recipes", "copy", "minilm-clasify", "--to", folder);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("no recipe minilm-clasify; did you mean minilm-classify?");
    }
}
