package dev.graft.run.config;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ConfigKeysTest {

    @Test
    void everyOptionSaysWhatItIs() {
        assertThat(ConfigKeys.RUN.values()).allSatisfy(key -> {
            assertThat(key.declaration().value()).matches("[A-Z].*[^.]");
            assertThat(key.declaration().example()).isNotEmpty();
            assertThat(key.declaration().byDefault().isEmpty()
                            ^ key.declaration().unset().isEmpty())
                    .as("%s has a default or a meaning of being unset", key.name())
                    .isEqualTo(!key.declaration().required());
        });
    }

    @Test
    void everyExampleAndDefaultIsAValueOfItsOption() {
        assertThat(ConfigKeys.RUN.values()).allSatisfy(key -> {
            assertThat(key.read(Yaml.inline(key.name(), key.declaration().example()), key.name()))
                    .isNotNull();
            assertThat(key.defaultValue() == null)
                    .isEqualTo(key.declaration().byDefault().isEmpty());
        });
    }

    @Test
    void aNameMeansOneThing() {
        assertThat(OtherTrainerOptions.names())
                .doesNotContainAnyElementsOf(ConfigKeys.ALIASES.keySet())
                .doesNotContainAnyElementsOf(ConfigKeys.RUN.keySet());
        assertThat(ConfigKeys.ALIASES.values())
                .allMatch(name -> name.startsWith(".")
                        ? ConfigKeys.LOW_RANK.containsKey(name.substring(1))
                        : ConfigKeys.RUN.containsKey(name));
    }

    @Test
    void namesAreThoseOfTheField() {
        assertThat(ConfigKeys.RUN.keySet())
                .contains(
                        "model",
                        "method",
                        "data.train",
                        "data.valid",
                        "data.format",
                        "max_seq_length",
                        "batch_size",
                        "gradient_accumulation_steps",
                        "epochs",
                        "max_steps",
                        "max_time",
                        "learning_rate",
                        "lr_scheduler",
                        "warmup_ratio",
                        "loss_on",
                        "dtype",
                        "output_dir",
                        "resume",
                        "eval_steps",
                        "save_steps",
                        "logging_steps",
                        "report_to");
    }
}
