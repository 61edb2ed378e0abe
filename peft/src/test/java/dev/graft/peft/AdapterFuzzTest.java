package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/**
 * Any folder is either loaded or refused with an {@link InputException}. Seeds lie in the resources beside this class;
 * {@code JAZZER_FUZZ=1} and one method selected by {@code -Dtest} searches for new inputs.
 */
class AdapterFuzzTest {
    private static final List<String> KNOWN = List.of(
            "adapters/llama-gqa/lora",
            "adapters/llama-gqa/ia3",
            "adapters/llama-gqa/prefix-tuning",
            "adapters/llama-gqa/prompt-tuning");

    private Path folder;

    @BeforeEach
    void create() throws Exception {
        folder = Files.createTempDirectory("graft-fuzz");
    }

    @AfterEach
    void delete() throws Exception {
        for (String file : List.of("adapter_config.json", "adapter_model.safetensors", "adapter.safetensors")) {
            Files.deleteIfExists(folder.resolve(file));
        }
        Files.delete(folder);
    }

    @FuzzTest(maxDuration = "2m")
    void configuration(byte[] input) throws Exception {
        Files.write(folder.resolve("adapter_config.json"), input);
        Path tensors = Bases.FIXTURES.resolve(KNOWN.get(input.length % KNOWN.size()) + "/adapter_model.safetensors");
        Files.copy(tensors, folder.resolve("adapter_model.safetensors"), StandardCopyOption.REPLACE_EXISTING);
        Files.copy(tensors, folder.resolve("adapter.safetensors"), StandardCopyOption.REPLACE_EXISTING);
        load();
    }

    @FuzzTest(maxDuration = "2m")
    void tensors(byte[] input) throws Exception {
        String known = KNOWN.get(input.length % KNOWN.size());
        Files.copy(
                Bases.FIXTURES.resolve(known + "/adapter_config.json"),
                folder.resolve("adapter_config.json"),
                StandardCopyOption.REPLACE_EXISTING);
        Files.write(folder.resolve("adapter_model.safetensors"), input);
        load();
    }

    private void load() {
        try {
            Adapter adapter = Adapter.load(Bases.load(Bases.LLAMA), folder);
            assertThat(adapter.parameters()).isNotEmpty();
        } catch (InputException refused) {
            assertThat(refused.getMessage()).isNotBlank();
        }
    }
}
