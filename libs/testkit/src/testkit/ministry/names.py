"""Portuguese given and family names, and the mail form of a name."""

import re
import unicodedata
from typing import Final

_GIVEN = """
Maria Ana Beatriz Carolina Catarina Cláudia Conceição Cristina Diana Elisabete Fátima Filipa Francisca Graça Helena
Inês Isabel Joana Leonor Lúcia Luísa Madalena Mafalda Margarida Mariana Marta Matilde Mónica Patrícia Raquel Rita
Rosa Sandra Sara Sílvia Sofia Susana Teresa Vera Verónica Afonso Alexandre André António Bernardo Bruno Carlos
Daniel David Diogo Duarte Eduardo Fernando Filipe Francisco Gonçalo Guilherme Henrique Hugo João Joaquim Jorge José
Luís Manuel Marco Martim Miguel Nuno Paulo Pedro Rafael Ricardo Rodrigo Rui Salvador Sérgio Tiago Tomás Vasco
"""
_FAMILY = """
Silva Santos Ferreira Pereira Oliveira Costa Rodrigues Martins Jesus Sousa Fernandes Gonçalves Gomes Lopes Marques
Alves Almeida Ribeiro Pinto Carvalho Teixeira Moreira Correia Mendes Nunes Soares Vieira Monteiro Cardoso Rocha
Raposo Neves Coelho Cruz Cunha Pires Ramos Reis Simões Antunes Matos Fonseca Machado Araújo Barbosa Tavares Lourenço
Castro Figueiredo Azevedo Freitas Magalhães Henriques Lima Guerreiro Baptista Morais Domingues Esteves Assunção
Brandão Leitão Falcão Conceição Câmara Vilhena Quintã Estêvão
"""
GIVEN: Final = tuple(_GIVEN.split())
FAMILY: Final = tuple(_FAMILY.split())
SECOND: Final = ("", "", "", " João", " José", " Maria", " Luís", " Isabel", " Miguel", " Sofia")


def slug(text: str) -> str:
    """`text` in lower case without accents: words of letters and digits joined by hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))


MAIL_FORM: Final = {name: slug(name) for name in {*GIVEN, *FAMILY}}
