package dev.graft.models.images;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.util.function.BiFunction;

/** Any bytes are a picture or refused with a {@link FormatException} that names the file. */
class PictureFuzzTest {

    @FuzzTest
    void processors(byte[] content) {
        try {
            ImageProcessor processor = ImageProcessor.read(Fields.of("fuzzed", Json.parse("fuzzed", content)));
            ImageProcessor.Size size = processor.size(7, 5);
            boolean large = (long) size.width() * size.height() > 1 << 20;
            if (!large
                    && processor.values(new Picture(7, 5, new byte[105])).length != 3 * size.width() * size.height()) {
                throw new AssertionError("the size is another one than was said");
            }
        } catch (InputException e) {
            if (!String.valueOf(e.getMessage()).contains("fuzzed")
                    && !e.getMessage().startsWith("a picture")) {
                throw new AssertionError("the file is not named", e);
            }
        }
    }

    @FuzzTest
    void pictures(byte[] content) {
        read(content, Picture::of);
    }

    @FuzzTest
    void masks(byte[] content) {
        read(content, Picture::mask);
    }

    private static void read(byte[] content, BiFunction<byte[], String, Picture> reader) {
        try {
            Picture picture = reader.apply(content, "fuzzed");
            if (picture.rgb().length != 3 * picture.width() * picture.height()) {
                throw new AssertionError("a picture lacks points");
            }
        } catch (FormatException e) {
            if (!String.valueOf(e.getMessage()).startsWith("fuzzed: ")) {
                throw new AssertionError("the file is not named", e);
            }
        }
    }
}
