/* What data sets call their columns. */
#include "runtime/data/layout.h"

#include "runtime/base/text.h"
#include "runtime/data/shape.h"

#include <string.h>
#include <strings.h>

const char *const sp_header_texts[][2] = {
    { "sentence1", "sentence2" },
    { "question1", "question2" },
    { "premise", "hypothesis" },
    { "question", "sentence" },
    { "#1 String", "#2 String" },
    { "text", "text_pair" },
    { "sentence1", NULL },
    { "sentence", NULL },
    { "text", NULL },
    { NULL, NULL },
};

/* Names that data sets use beside those of texts. */
static const char *const others[] = {
    "label",    "labels",    "texts",    "sentences", "input_ids",   "review",    "reviews",  "comment",  "comments",
    "tweet",    "message",   "title",    "body",      "content",     "description", "summary", "document", "abstract",
    "headline", "utterance", "query",    "passage",   "answer",      "class",     "category", "sentiment", "score",
    "rating",   "stars",     "points",   "grade",     "target",      "topic",     "intent",   "emotion",  "polarity",
    "id",       "idx",       "index",    "guid",      "source",      "language",  "lang",     "user",     "author",
    "timestamp", "opinion", "opinions", "feedback", "post",      "posts",       "tweets",    "messages", "response",
    "txt",      "msg",      "sent",     "lab",       "lbl",      "cls",         NULL,
};

/* What those of texts are called in some more languages. */
static const char *const translations[] = {
    "kommentar",
    "kommentare",
    "bewertung",
    "bewertungen",
    "rezension",
    "rezensionen",
    "nachricht",
    "nachrichten",
    "beschreibung",
    "betreff",
    "titel",
    "inhalt",
    "frage",
    "antwort",
    "commentaire",
    "commentaires",
    "avis",
    "texte",
    "titre",
    "contenu",
    "question",
    "comentario",
    "comentarios",
    "texto",
    "mensaje",
    "mensajes",
    "rese\xC3\xB1"
    "a",
    "pregunta",
    "respuesta",
    "mensagem",
    "mensagens",
    "coment\xC3\xA1rio",
    "avalia\xC3\xA7\xC3\xA3o",
    "commento",
    "commenti",
    "testo",
    "messaggio",
    "recensione",
    "recensioni",
    "opmerking",
    "bericht",
    "tekst",
    NULL,
};

static bool is_among(const char *field, const char *const *names)
{
    while (*names && !sp_header_is(field, *names))
        names++;
    return *names != NULL;
}

bool sp_header_is(const char *field, const char *name)
{
    size_t length = strlen(field), expected = strlen(name);

    sp_text_trim_ends(&field, &length);
    sp_text_trim_ends(&name, &expected);
    return length == expected && strncasecmp(field, name, length) == 0;
}

static bool is_among_texts(const char *field, const char *const (*names)[2])
{
    for (; names && (*names)[0]; names++)
        if (sp_header_is(field, (*names)[0]) || ((*names)[1] && sp_header_is(field, (*names)[1])))
            return true;
    return false;
}

bool sp_header_is_text(const char *field, const struct sp_dataset_options *options)
{
    return is_among_texts(field, sp_header_texts) || (options->shape && is_among_texts(field, options->shape->texts));
}

bool sp_header_is_known(const char *field, const struct sp_dataset_options *options)
{
    return is_among(field, others) || is_among(field, translations) || sp_header_is_text(field, options);
}

bool sp_header_is_named(const char *field, const struct sp_dataset_options *options)
{
    const struct sp_data_layout *r = options->remembered;
    const char *const asked[] = { options->text_column, options->text_pair_column, options->label_column,
                                  r ? r->text.name : NULL, r ? r->pair.name : NULL, r ? r->label.name : NULL };

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        if (asked[i] && sp_header_is(field, asked[i]))
            return true;
    return sp_header_is_known(field, options);
}
