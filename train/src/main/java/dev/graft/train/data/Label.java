package dev.graft.train.data;

import java.util.List;

/** The label of a row as the data writes it: class names or a score. */
public sealed interface Label {

    /** Kinds of labels of a data set. */
    enum Kind {
        /** Each row has one class. */
        ONE,
        /** Each row has any number of classes. */
        MANY,
        /** Each word of a row has one class. */
        EACH,
        /** Each row has a number to predict: regression. */
        SCORE
    }

    /** Returns the class names: one, any number, one for each word, or none for a score. */
    List<String> names();

    record One(String name) implements Label {
        @Override
        public List<String> names() {
            return List.of(name);
        }
    }

    record Many(List<String> names) implements Label {
        public Many {
            names = List.copyOf(names);
        }
    }

    /** The classes of a row's words, in their order. */
    record Each(List<String> names) implements Label {
        public Each {
            names = List.copyOf(names);
        }
    }

    record Score(double value) implements Label {
        @Override
        public List<String> names() {
            return List.of();
        }
    }
}
